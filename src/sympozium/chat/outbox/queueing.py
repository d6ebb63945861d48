"""Messages of which nobody could begin anything: their placeholders say so.

Only the first of a conversation has one: what stands for the second answer before the
first one is shown would break their order. While the session store is away, no note of
a placeholder can be kept or read; then there is one only where this program took the
message in itself, and so knows that no predecessor has posted any.
"""

import asyncio
import logging
from collections.abc import Callable

from sympozium.bus.cancelled import ended
from sympozium.chat.outbox.following import Surroundings
from sympozium.chat.outbox.opening import post_placeholder
from sympozium.chat.outbox.records import Followed, Record
from sympozium.chat.outbox.wording import QUEUED
from sympozium.chat.platform import Target
from sympozium.contract.envelope import decode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.queued import Queued

log = logging.getLogger(__name__)

NOTES_TIMEOUT_S = 1.0
MAX_SHOWN = 512
"""Conversations that wait; of further ones nothing is shown."""


class Queueing:
    """Shows that messages wait, from `listen` to `over`."""

    def __init__(
        self,
        around: Surroundings,
        group: asyncio.TaskGroup,
        is_busy: Callable[[ConversationId], bool],
    ) -> None:
        self._around = around
        self._group = group
        self._is_busy = is_busy
        self._first: dict[ConversationId, MessageId] = {}
        self._showing: dict[MessageId, asyncio.Task[None]] = {}

    async def listen(self, subject: str) -> None:
        """Hear who waits, until cancelled."""
        async with self._around.bus.listen(subject) as said:
            async for _, data in said:
                try:
                    self._hear(decode(data, Queued))
                except PermanentError as error:
                    log.debug("line dropped", extra={"action": "drop", "cause": str(error)})

    async def over(self, conversation: ConversationId, message_id: MessageId) -> None:
        """Return when nothing of this is on its way for a message that goes on."""
        if self._first.get(conversation) == message_id:
            del self._first[conversation]
        task = self._showing.get(message_id)
        if task is not None:
            await asyncio.wait({task})

    async def stop(self) -> None:
        """Show nothing any more."""
        await ended(*self._showing.values())

    def _hear(self, waits: Queued) -> None:
        conversation, message_id = waits.conversation, waits.message_id
        known = self._around.records.known(message_id)
        is_shown = known is not None and (known.post or not known.is_at_work)
        if is_shown or self._is_busy(conversation) or len(self._showing) >= MAX_SHOWN:
            return
        if self._first.setdefault(conversation, message_id) != message_id:
            return
        if message_id not in self._showing:
            task = self._group.create_task(self._show(waits))
            self._showing[message_id] = task
            task.add_done_callback(lambda _: self._showing.pop(message_id, None))

    async def _show(self, waits: Queued) -> None:
        record = await self._record(waits.message_id)
        if record is None:
            return
        target = Target(waits.conversation, waits.message_id, waits.reply_to)
        followed = Followed(
            conversation=waits.conversation,
            reply_to=waits.reply_to,
            run_name=RunName(""),
            run_uid=RunUid(""),
        )
        around = self._around
        if not around.order.may_stand(target):
            return
        try:
            if not await post_placeholder(
                around.voice, target, record, followed, again=False, saying=QUEUED
            ):
                return
            record.is_queued = True
            async with asyncio.timeout(NOTES_TIMEOUT_S):
                await around.records.keep(waits.message_id)
        except (TransientError, PermanentError, TimeoutError) as error:  # kept with what follows
            log.debug("placeholder not noted", extra={"action": "drop", "cause": str(error)})
        except Exception:  # a bug in showing that somebody waits must not stop the answers
            log.exception("waiting is not shown", extra={"action": "drop"})

    async def _record(self, message_id: MessageId) -> Record | None:
        """Return the record of a message; None where nobody can say what was posted for it."""
        around = self._around
        try:
            async with asyncio.timeout(NOTES_TIMEOUT_S):
                return await around.records.of(message_id)
        except (TransientError, PermanentError, TimeoutError):
            is_ours = around.marks.has_seen(message_id)
            return around.records.begin(message_id) if is_ours else None
