"""Every state that can be reached, and the shortest way to one that breaks a promise."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.promises import broken_at_rest, broken_now
from tests.model.protocol import mishaps, steps
from tests.model.rules import Rules
from tests.model.state import State


@dataclass(frozen=True)
class Breach:
    """A promise that does not hold, and the shortest schedule that shows it."""

    promise: str
    schedule: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    states: int
    breach: Breach | None


def search(start: State, rules: Rules) -> Found:
    """Visit every state that *rules* allow from *start*, up to the first breach."""
    came_from: dict[State, State | None] = {start: None}
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        following = list(steps(state, rules))
        promise = broken_now(state) or ("" if following else broken_at_rest(state))
        if promise:
            return Found(len(came_from), Breach(promise, tuple(_way(state, came_from, rules))))
        for _, other in (*following, *mishaps(state, rules)):
            before = len(came_from)
            came_from.setdefault(other, state)
            if len(came_from) > before:  # a state is hashed once, which takes most of the time
                waiting.append(other)
    return Found(len(came_from), None)


def _way(state: State, came_from: dict[State, State | None], rules: Rules) -> Iterator[str]:
    labels: list[str] = []
    at: State = state
    while (before := came_from[at]) is not None:
        happened = (*steps(before, rules), *mishaps(before, rules))
        labels.append(next(label for label, after in happened if after == at))
        at = before
    return reversed(labels)
