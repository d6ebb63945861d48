"""A state of the whole system, small enough to write down and to compare."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

Message = int
"""A person's message, by number; all are of one conversation unless `Entry.place` differs."""


class Phase(Enum):
    """Where a run is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self not in {Phase.WAITING, Phase.RUNNING}


class Held(Enum):
    """How far a program has come with something that is not settled; a crash forgets it."""

    NO = "not held"
    TAKEN = "taken"
    HALF = "half done"
    """The first of two effects has happened, the second has not."""


@dataclass(frozen=True, slots=True)
class Event:
    """A message at its platform.

    Attributes:
        is_confirmed: The platform was told that it was received, and forgets it.
        repeats: How often it may deliver it again though it was confirmed.
    """

    message: Message
    is_confirmed: bool = False
    repeats: int = 0
    held: Held = Held.NO


@dataclass(frozen=True, slots=True)
class Letter:
    """An entry of INBOX; its place in the tuple is its sequence."""

    message: Message
    is_acked: bool = False
    held: Held = Held.NO


@dataclass(frozen=True, slots=True)
class Run:
    """An AgentRun; its place in the tuple is the order of creation.

    Attributes:
        sequence: The INBOX sequence of its message.
        absorbed: Messages that its agent confirmed to have taken in.
        is_announced: Without rule 7: its end was seen by a router that was up.
    """

    message: Message
    sequence: int
    phase: Phase = Phase.WAITING
    absorbed: frozenset[Message] = frozenset()
    is_announced: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An entry of OUTBOX: the end of a message.

    Attributes:
        place: Whose conversation it is addressed to.
    """

    message: Message
    place: Message
    is_joined: bool = False
    is_acked: bool = False
    held: Held = Held.NO


@dataclass(frozen=True, slots=True)
class State:
    """Everything that there is.

    Attributes:
        offered: (message, run) that was handed to a run at work, as the router noted it.
        placeholders: Messages with a recorded placeholder.
        shown: Ends that a person sees, as (message, place), in the order of appearance.
        faults: How many crashes and refusals may still happen.
        stops: How often a person may still press Stop.
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
    stops: int = 0

    def with_event(self, index: int, **changes: object) -> Self:
        """Return this state with one event changed."""
        return replace(self, events=_changed(self.events, index, changes))

    def with_letter(self, index: int, **changes: object) -> Self:
        """Return this state with one entry of INBOX changed."""
        return replace(self, inbox=_changed(self.inbox, index, changes))

    def with_run(self, index: int, **changes: object) -> Self:
        """Return this state with one run changed."""
        return replace(self, runs=_changed(self.runs, index, changes))

    def with_reply(self, index: int, **changes: object) -> Self:
        """Return this state with one entry of OUTBOX changed."""
        return replace(self, outbox=_changed(self.outbox, index, changes))

    def runs_of(self, message: Message) -> list[Run]:
        """Return every run that answers a message; more than one is a fault."""
        return [run for run in self.runs if run.message == message]


def _changed(items: tuple, index: int, changes: dict[str, object]) -> tuple:  # type: ignore[type-arg]
    return (*items[:index], replace(items[index], **changes), *items[index + 1 :])
