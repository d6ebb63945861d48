"""A state of the whole system, small enough to write down and to compare."""

from enum import IntEnum
from typing import NamedTuple, Self

Message = int
"""A person's message, by number."""


class Phase(IntEnum):
    """Where a run is."""

    WAITING = 0
    RUNNING = 1
    SUCCEEDED = 2
    FAILED = 3
    CANCELLED = 4
    REFUSED = 5
    """It was never created: the refusal is recorded in its place."""
    WRITTEN = 6
    """Its agent has written the answer, which is not on the bus yet."""
    NAMED = 7
    """Its message has the name of a run that somebody is about to make: there is no run yet."""

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self not in {Phase.WAITING, Phase.RUNNING, Phase.WRITTEN, Phase.NAMED}


class Held(IntEnum):
    """How far a program has come with something that is not settled; a crash forgets it."""

    NO = 0
    TAKEN = 1
    HALF = 2
    """The first of two effects has happened, the second has not."""


class Stuck(IntEnum):
    """What never comes to an end of a message."""

    NOTHING = 0
    RUN = 1
    REPLY = 2
    """The platform takes nothing in its place."""


class Ask(IntEnum):
    """What a person wants with a message."""

    ANSWER = 0
    STOP = 1
    """An end of what goes on and of what waits, and a word that it was done."""
    TAKE_BACK = 2
    """That a message of theirs was never said. Of this itself nothing is told."""


class Says(IntEnum):
    """What a person is told at the end of a message."""

    ANSWER = 0
    ERROR = 1
    STOPPED = 2
    NOTHING = 3
    """It was taken back."""
    NOTICE = 4
    """What a Stop came to."""


EVERYTHING = -1
"""What a Stop without a name is aimed at."""


class Event(NamedTuple):
    """A message at its platform.

    Attributes:
        conversation: Where it was said.
        ask: What is wanted with it.
        aim: Of what is no message for an agent: the message that it is about.
        is_confirmed: The platform was told that it was received, and forgets it.
        repeats: How often it may deliver it again though it was confirmed.
    """

    message: Message
    conversation: int = 0
    stuck: Stuck = Stuck.NOTHING
    is_confirmed: bool = False
    repeats: int = 0
    held: Held = Held.NO
    ask: Ask = Ask.ANSWER
    aim: Message = EVERYTHING


class Letter(NamedTuple):
    """An entry of INBOX; its place in the tuple is its sequence.

    Attributes:
        other: How far a second router has come with it, to which it was delivered
            while the first one was at it.
    """

    message: Message
    is_acked: bool = False
    held: Held = Held.NO
    other: Held = Held.NO


class Run(NamedTuple):
    """An AgentRun; its place in the tuple is the order of creation.

    Attributes:
        sequence: The INBOX sequence of its message.
        absorbed: Messages that its agent confirmed to have taken in.
        is_announced: Without rule 7: its end was seen by a router that was up.
        is_lost: Its answer was written, and is gone.
        is_to_end: It was told to end early.
    """

    message: Message
    sequence: int
    phase: Phase = Phase.WAITING
    absorbed: frozenset[Message] = frozenset()
    is_announced: bool = False
    is_lost: bool = False
    is_to_end: bool = False


class Reply(NamedTuple):
    """An entry of OUTBOX: the end of a message.

    Attributes:
        place: Whose conversation it is addressed to.
    """

    message: Message
    place: Message
    is_joined: bool = False
    is_acked: bool = False
    held: Held = Held.NO
    says: Says = Says.ANSWER


class State(NamedTuple):
    """Everything that there is.

    Attributes:
        offered: (message, run) that was handed to a run at work, as the router noted it.
        placeholders: Messages with a recorded placeholder.
        shown: Ends that a person sees, as (message, place), in the order of appearance.
        latest: Without the rule "place": what was stored last, whose place is taken for anybody's.
        faults: How many crashes and refusals may still happen.
        known: Stops that are stored as carried out. A deletion leaves no row: of it, this
            says only that a router has come past it.
        cut: (message, by which Stop) that is to end early, as the router noted it.
        behind: Messages that some router read before that was noted, and goes on with.
    """

    events: tuple[Event, ...]
    inbox: tuple[Letter, ...] = ()
    runs: tuple[Run, ...] = ()
    offered: frozenset[tuple[Message, int]] = frozenset()
    outbox: tuple[Reply, ...] = ()
    placeholders: frozenset[Message] = frozenset()
    shown: tuple[tuple[Message, Message], ...] = ()
    latest: Message = 0
    faults: int = 0
    known: frozenset[Message] = frozenset()
    cut: frozenset[tuple[Message, Message]] = frozenset()
    behind: frozenset[Message] = frozenset()

    def with_event(self, index: int, **changes: object) -> Self:
        """Return this state with one event changed."""
        return self._replace(events=_changed(self.events, index, changes))

    def with_letter(self, index: int, **changes: object) -> Self:
        """Return this state with one entry of INBOX changed."""
        return self._replace(inbox=_changed(self.inbox, index, changes))

    def with_run(self, index: int, **changes: object) -> Self:
        """Return this state with one run changed."""
        return self._replace(runs=_changed(self.runs, index, changes))

    def with_reply(self, index: int, **changes: object) -> Self:
        """Return this state with one entry of OUTBOX changed."""
        return self._replace(outbox=_changed(self.outbox, index, changes))

    def conversation(self, message: Message) -> int:
        """Return where a message was said."""
        return self.events[message].conversation

    def runs_of(self, message: Message) -> list[Run]:
        """Return every run that answers a message; more than one is a fault."""
        return [run for run in self.runs if run.message == message]

    def has_end(self, message: Message) -> bool:
        """Return whether the end of a message is decided."""
        return any(reply.message == message for reply in self.outbox)

    def cut_by(self, message: Message) -> Ask | None:
        """Return how a message was asked to end early; None: it was not."""
        by = next((by for cut, by in self.cut if cut == message), None)
        return None if by is None else self.events[by].ask

    def sequence(self, message: Message) -> int | None:
        """Return where INBOX has a message first; None: nowhere."""
        stored = (n for n, letter in enumerate(self.inbox) if letter.message == message)
        return next(stored, None)


def _changed(items: tuple, index: int, changes: dict[str, object]) -> tuple:  # type: ignore[type-arg]
    return (*items[:index], items[index]._replace(**changes), *items[index + 1 :])
