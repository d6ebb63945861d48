"""What a channel that starts must know of its predecessor: which runs are at work.

Their progress is shown again. And their ends may be in the hands of the predecessor,
which was killed: the bus brings those again only after half a minute, and meanwhile
newer ones of the same conversation. Those wait, so that answers stay in order.
"""

import asyncio
import logging

from sympozium.chat.outbox.lanes import Item
from sympozium.chat.outbox.records import Records, Unfinished
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import OutboundKind
from sympozium.contract.names import ConversationId, MessageId

log = logging.getLogger(__name__)

REDELIVERED_WITHIN_S = 35.0
"""The time to redelivery of what a predecessor held, and a little."""

PATIENCE_S = 5.0
RETRY_S = 0.5


class Restart:
    """The first half minute of a channel."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._until = asyncio.get_running_loop().time() + REDELIVERED_WITHIN_S
        self._accepted: dict[MessageId, int] = {}
        self._open: dict[ConversationId, dict[MessageId, int]] = {}

    @property
    def is_over(self) -> bool:
        """Whether everything that a predecessor held has come again."""
        return asyncio.get_running_loop().time() >= self._until

    async def unfinished(self) -> list[Unfinished]:
        """Return the runs that were at work; none where the router does not say so in time."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                found = await self._asked()
        except TimeoutError:
            log.warning("runs at work are not known", extra={"action": "drop"})
            return []
        for one in found:
            self._accepted[one.message_id] = one.followed.sequence
            of_conversation = self._open.setdefault(one.followed.conversation, {})
            of_conversation[one.message_id] = one.followed.sequence
        return found

    def accepted(self, item: Item) -> None:
        """Note where a message was accepted, as long as it matters."""
        if not self.is_over:
            self._accepted[item.message.message_id] = item.delivery.sequence

    def ended(self, item: Item) -> None:
        """Note that a message's end was dealt with."""
        open_ = self._open.get(item.message.conversation)
        if open_ is not None:
            open_.pop(item.message.message_id, None)

    def hold_for(self, item: Item) -> float:
        """Return for how long an end waits for the ends of earlier messages; 0: not at all."""
        message = item.message
        if self.is_over or message.kind is OutboundKind.ACCEPTED:
            return 0.0
        accepted = self._accepted.get(message.message_id)
        open_ = self._open.get(message.conversation, {})
        if accepted is None or not any(sequence < accepted for sequence in open_.values()):
            return 0.0
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def _asked(self) -> list[Unfinished]:
        while True:
            try:
                return await self._records.unfinished()
            except TransientError as error:
                log.debug("router not there yet", extra={"action": "retry", "cause": str(error)})
                await asyncio.sleep(RETRY_S)
            except PermanentError as error:
                log.warning("notes cannot be read", extra={"action": "drop", "cause": str(error)})
                return []
