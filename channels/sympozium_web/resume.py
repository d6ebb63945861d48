"""What a client that opens an event stream has missed, and what it is then to be spared."""

from collections.abc import Callable, Sequence, Set

from sympozium.contract.messages import Entry, EntryState, Role
from sympozium.contract.names import MessageId
from sympozium_web import events
from sympozium_web.events import Event

EndSequence = Callable[[MessageId], int]
"""Returns the OUTBOX sequence of an end that this program has shown, else 0."""


class Resumption:
    """Sorts the ends of one stream: each is sent once, and none is left out.

    The client is listened for before the transcript is asked for, so an end may
    be in both. The transcript may also hold an end whose sequence is not recorded
    yet; it is sent without an id, and the id alone follows when it is known.
    """

    def __init__(self, after: int | None) -> None:
        """Start after sequence *after*; None: with what happens from now on."""
        self._after = after
        self._replayed: set[int] = set()
        self._unnumbered: set[MessageId] = set()
        self.position = 0
        """The sequence up to which a client has everything once the replay is sent."""

    def missed(
        self, entries: Sequence[Entry], *, waiting: Set[int], sequence_of_end: EndSequence
    ) -> list[Event]:
        """Return the ends in a transcript that the client does not have, oldest first.

        *waiting* are the sequences of ends that will reach the client anyhow.
        """
        ends = []
        for entry in entries:
            message_id = entry.in_reply_to
            if entry.role is not Role.ASSISTANT or message_id is None:
                continue
            sequence = entry.sequence or sequence_of_end(message_id)
            if sequence in waiting:
                continue
            if sequence < min(waiting, default=sequence + 1):
                self.position = max(self.position, sequence)
            if self._is_missing(sequence):
                ends.append(_end_of(entry, message_id, sequence))
                self._remember(message_id, sequence)
        return ends

    def pass_on(self, event: Event) -> bytes | None:
        """Return what of a new event is to be sent, or None where the client has it."""
        if not event.is_end:
            return event.wire
        if event.sequence in self._replayed or event.sequence <= (self._after or 0):
            return None
        if event.message_id in self._unnumbered:
            return events.position(event.sequence)
        return event.wire

    def _is_missing(self, sequence: int) -> bool:
        return self._after is not None and (sequence == 0 or sequence > self._after)

    def _remember(self, message_id: MessageId, sequence: int) -> None:
        if sequence:
            self._replayed.add(sequence)
        else:
            self._unnumbered.add(message_id)


def _end_of(entry: Entry, message_id: MessageId, sequence: int) -> Event:
    return events.end(
        message_id,
        text=entry.text,
        error=entry.error,
        sequence=sequence,
        files=entry.files,
        choices=entry.choices,
    )


def running_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Return the messages of a transcript that a run works on."""
    return [
        entry
        for entry in entries
        if entry.role is Role.USER and entry.state is EntryState.RUNNING and entry.run_uid
    ]


def ended_ids(entries: Sequence[Entry]) -> set[MessageId]:
    """Return the ids of the messages that a transcript knows the end of.

    Not every end is an answer: a message may be answered with another one.
    """
    answered = {entry.in_reply_to for entry in entries if entry.in_reply_to is not None}
    ended = (EntryState.DONE, EntryState.FAILED)
    return answered | {
        MessageId(entry.id) for entry in entries if entry.role is Role.USER and entry.state in ended
    }
