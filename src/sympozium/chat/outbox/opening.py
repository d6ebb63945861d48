"""The placeholder: what stands where the answer will be."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from sympozium.chat.outbox.budget import Urgency
from sympozium.chat.outbox.progress import placeholder, stop_choices
from sympozium.chat.outbox.records import Followed, Record
from sympozium.chat.outbox.showing import Showing, key_of
from sympozium.chat.outbox.voice import Voice
from sympozium.chat.outbox.wording import PLACEHOLDER
from sympozium.chat.platform import Shown, Target
from sympozium.contract.errors import PermanentError
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point

log = logging.getLogger(__name__)

PATIENCE_S = 8.0
"""Without room for so long there is no placeholder now; the end does without, or makes one."""


async def post_placeholder(
    voice: Voice,
    target: Target,
    record: Record,
    followed: Followed,
    *,
    again: bool,
    saying: str = PLACEHOLDER,
) -> bool:
    """Post a placeholder where the platform can edit it and there is none; return whether it did.

    Not to have one is no failure: the end does without. Whoever calls keeps the record.
    """
    if record.post or not record.is_at_work or not voice.capabilities.can_edit:
        return False
    if voice.budget.closed_for_s(voice.platform.chat_of(target)) > PATIENCE_S:
        return False
    until = datetime.now(UTC) + timedelta(seconds=PATIENCE_S)
    showing = Showing(voice, target, record, until, again=again, urgency=Urgency.START)
    shown = Shown(
        piece=placeholder(voice.capabilities, saying),
        choices=stop_choices(followed.run_name, voice.capabilities),
        author=followed.agent,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            reach(Point.CHANNEL_BEFORE_PLACEHOLDER)
            posted = await showing.post(shown, key_of(target.message_id, 0))
            reach(Point.CHANNEL_AFTER_PLACEHOLDER)
    except (PermanentError, TimeoutError) as error:
        log.debug("no placeholder", extra={"action": "drop", "cause": str(error)})
        return False
    record.post = posted.id
    return True
