"""What the channel has stored and no router has read yet, which a transcript holds all the same."""

from collections.abc import Sequence
from typing import NamedTuple

from sympozium.contract.messages import Entry, EntryState, InboundMessage, Role
from sympozium.contract.names import ConversationId

MAX_KEPT = 200
"""Messages in memory at once, of at most 64 KiB each; a router reads one within milliseconds."""


class Stored(NamedTuple):
    """A message, and its sequence in INBOX."""

    sequence: int
    message: InboundMessage


class Accepted:
    """The messages that were accepted last."""

    def __init__(self) -> None:
        self._kept: list[Stored] = []

    def note(self, message: InboundMessage, sequence: int) -> None:
        """Keep a message that is on the bus; the oldest makes room for it."""
        self._kept = [*self._kept[1 - MAX_KEPT :], Stored(sequence, message)]

    def added_to(self, entries: Sequence[Entry], conversation: ConversationId) -> list[Entry]:
        """Return the transcript of a conversation, and behind it what no router has read yet.

        Those of a conversation are read in order: what lies before one that was read was
        read, too, though a long transcript is without it.
        """
        known = {entry.id for entry in entries}
        ours = [one for one in self._kept if one.message.conversation == conversation]
        ours.sort(key=lambda one: one.sequence)
        read = [one.sequence for one in ours if one.message.message_id in known]
        unread = [one for one in ours if one.sequence > max(read, default=0)]
        gone = {one.sequence for one in ours} - {one.sequence for one in unread}
        self._kept = [one for one in self._kept if one.sequence not in gone]
        return [*entries, *(_as_entry(one.message) for one in unread)]


def _as_entry(message: InboundMessage) -> Entry:
    return Entry(
        id=message.message_id,
        role=Role.USER,
        text=message.text,
        time=message.time,
        state=EntryState.STORED,
    )
