"""The assistant's view: what a person finds in a new thread, and what they look at beside it."""

import logging
from collections import OrderedDict

from sympozium.contract.errors import SympoziumError
from sympozium_slack.api import Api
from sympozium_slack.events import AssistantThread

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024

TITLE = "What may it be?"
PROMPTS = (
    {"title": "What can you do?", "message": "What can you do for me here?"},
    {"title": "Who answers here?", "message": "!agents"},
    {"title": "Show the commands", "message": "!help"},
)


async def suggest_prompts(api: Api, thread: AssistantThread) -> None:
    """Offer a person some beginnings. That it does not work out is no loss of theirs."""
    try:
        await api.call(
            "assistant.threads.setSuggestedPrompts",
            channel_id=thread.channel_id,
            thread_ts=thread.thread_ts,
            title=TITLE,
            prompts=list(PROMPTS),
        )
    except SympoziumError as error:
        log.warning("prompts not shown", extra={"action": "skip", "cause": str(error)})


class Contexts:
    """Which channel each person has open beside their thread, as far as this process was told."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, str], str] = OrderedDict()

    def note(self, thread: AssistantThread) -> None:
        """Note what is open beside a thread now."""
        place = (thread.channel_id, thread.thread_ts)
        self._open[place] = (thread.context.channel_id or "") if thread.context else ""
        self._open.move_to_end(place)
        while len(self._open) > MAX_REMEMBERED:
            self._open.popitem(last=False)

    def quotation(self, channel: str, thread: str) -> str:
        """Return what the agent is told of it; empty where nothing is known."""
        looked_at = self._open.get((channel, thread), "")
        return f"[asked while looking at channel {looked_at}]" if looked_at else ""
