"""Under which id a message was stored: an edit names Telegram's number of it, which is another.

The router keeps a note for each stored message. Notes are written together, after the
messages were stored and before Telegram is told. A router that is away must not hold
messages back: what could not be noted is kept here and noted with the next ones.
"""

from collections import OrderedDict

from sympozium.chat.desk import Desk
from sympozium.contract.errors import TransientError
from sympozium.contract.names import MessageId
from sympozium_telegram.addresses import Reference

MAX_REMEMBERED = 512
MAX_UNWRITTEN = 512
"""Beyond it the oldest is forgotten: an edit of it would change nothing."""


class Originals:
    """Finds the stored message that an edit is about."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._known: OrderedDict[str, MessageId] = OrderedDict()
        self._unwritten: OrderedDict[str, MessageId] = OrderedDict()

    def remember(self, reference: Reference, message_id: MessageId) -> None:
        """Take down under which id a message was stored."""
        key = _key(reference)
        _put(self._known, key, message_id, MAX_REMEMBERED)
        _put(self._unwritten, key, message_id, MAX_UNWRITTEN)

    async def write(self) -> None:
        """Have the router keep what was taken down. Succeeds also while it is away."""
        if not self._unwritten:
            return
        writing = dict(self._unwritten)
        try:
            await self._desk.keep(writing)
        except TransientError:
            return
        for key in writing:
            self._unwritten.pop(key, None)

    async def find(self, reference: Reference) -> MessageId | None:
        """Return the id of the stored message; None: it was not stored.

        Raises:
            TransientError: The router cannot be asked now.
        """
        key = _key(reference)
        if key in self._known:
            return self._known[key]
        notes = await self._desk.read([key])
        return MessageId(notes[key]) if notes.get(key) else None


def _key(reference: Reference) -> str:
    return f"msg:{reference.spot.chat}:{reference.message}"


def _put(kept: OrderedDict[str, MessageId], key: str, value: MessageId, at_most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > at_most:
        kept.popitem(last=False)
