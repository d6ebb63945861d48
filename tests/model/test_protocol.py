"""Every interleaving of two messages with crashes, refusals and Stop keeps every promise.

`make model` searches deeper.
"""

import os

import pytest

from tests.model.protocol import Rules
from tests.model.search import search
from tests.model.state import Event, State, Stuck

FAULTS = int(os.environ.get("MODEL_FAULTS", "1"))

RULES: dict[int | str, str] = {
    1: "G1: message 0 was confirmed and is nowhere",
    2: "G2: message 0 has two runs",
    3: "G2: message 0 has two runs",
    4: "G3: message 0 was accepted and met with silence",
    5: "G4: ends appear in another order than their messages",
    6: "G3: message 0 was accepted and met with silence",
    7: "G3: message 0 was accepted and met with silence",
    8: "G3: message 0 was accepted and met with silence",
    9: "G3: message 0 is answered twice",
    "place": "G5: the answer to message 0 is shown at message 1",
    "stay": "G3: an answer was written and is told to have failed",
}
"""Each is necessary: without it some schedule breaks this promise."""

pytestmark = pytest.mark.timeout(3600)


def start(*, messages: int = 2, faults: int = FAULTS, stops: int = 0, repeats: int = 1) -> State:
    """Return the state before anything happened."""
    events = tuple(Event(message, repeats=repeats) for message in range(messages))
    return State(events, faults=faults, stops=stops)


@pytest.mark.parametrize("steers", [False, True], ids=["queue", "steer"])
def test_every_interleaving_keeps_every_promise(steers: bool) -> None:
    found = search(start(), Rules(steers=steers))
    assert found.breach is None, found.breach
    assert found.states > 1_000


@pytest.mark.parametrize("steers", [False, True], ids=["queue", "steer"])
def test_stopping_at_any_moment_keeps_every_promise(steers: bool) -> None:
    found = search(start(stops=1, repeats=0), Rules(steers=steers))
    assert found.breach is None, found.breach


@pytest.mark.parametrize("stuck", [Stuck.RUN, Stuck.REPLY])
def test_one_conversation_never_waits_for_another(stuck: Stuck) -> None:
    events = (Event(0, stuck=stuck), Event(1, conversation=1))
    found = search(State(events, faults=FAULTS), Rules())
    assert found.breach is None, found.breach
    in_one_line = search(State(events), Rules().without("apart"))
    assert in_one_line.breach is not None
    assert "waits for another conversation" in in_one_line.breach.promise


@pytest.mark.parametrize(("rule", "promise"), RULES.items())
def test_without_a_rule_some_schedule_breaks_a_promise(rule: int | str, promise: str) -> None:
    is_between = rule in {5, "place"}
    begin = start(messages=2, faults=0, repeats=0) if is_between else start(messages=1, faults=1)
    found = search(begin, Rules().without(rule))
    assert found.breach is not None
    assert found.breach.promise == promise
    assert found.breach.schedule


def test_a_message_that_was_only_offered_to_a_run_is_not_answered_by_it() -> None:
    found = search(start(faults=0), Rules(steers=True).without("steer"))
    assert found.breach is not None
    assert "nobody read it" in found.breach.promise
