"""The assistant's view: what a person finds in a thread that they have just opened."""

import logging

from sympozium.contract.errors import SympoziumError
from sympozium_slack.api import Api
from sympozium_slack.events import AssistantThread

log = logging.getLogger(__name__)

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
