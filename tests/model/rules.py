"""The rules that keep the promises, each of which can be left out."""

from dataclasses import dataclass, field, replace

from tests.model.state import Message, State

NAMED = {"steer", "place", "apart", "stay"}
OF_STOPS = {
    "once",
    "together",
    "level",
    "fresh",
    "catch",
    "sweep",
    "newest",
    "unsaid",
    "late",
}


@dataclass(frozen=True)
class Rules:
    """The rules of the design by their numbers, and those of modes, of addressing and of Stop.

    Attributes:
        kept: 1 to 9 as in the design; "steer": only what an agent confirmed counts as
            answered by its run; "place": a reply is addressed by its message; "apart": a
            conversation waits for nothing of another one; "stay": an agent stays until its
            answer is on the bus, so that a bridge that died is started again. Those of
            Stop are explained in `tests.model.stops`.
        steers: A message that comes while a run is at work is handed to it.
    """

    kept: frozenset[int | str] = field(
        default_factory=lambda: frozenset({*range(1, 10), *NAMED, *OF_STOPS})
    )
    steers: bool = False

    def are_in_line(self, state: State, one: Message, other: Message) -> bool:
        """Return whether one of two messages waits for the other."""
        if "apart" not in self.kept:
            return True
        return state.conversation(one) == state.conversation(other)

    def without(self, rule: int | str) -> "Rules":
        """Return these rules with one left out."""
        return replace(self, kept=self.kept - {rule})
