"""Every interleaving of messages, Stops and deletions with faults keeps every promise.

`make model` searches deeper.
"""

import os

import pytest

from tests.model.beginnings import at_work, message, nothing_said, said, stop, take_back
from tests.model.rules import Rules
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

ENDLESS = message(0, never_ends=True)
"""It shows a Stop that does nothing: no end comes by itself."""

STEERED_AND_ENDLESS = (message(0), message(1, never_ends=True), stop(2))

IS_WORKED_ON = "Stop: message 0 was stopped, and is worked on"
IS_NOT_MEANT = "Stop: message 2 was ended by a Stop that did not mean it"
IS_TOLD_OF = "Stop: message 0 was taken back, and is told of"

RULES_OF_STOP: dict[int | str, tuple[State, str]] = {
    2: (at_work(message(0), stop(1, repeats=1), message(2)), IS_NOT_MEANT),
    4: (said(ENDLESS, stop(1), faults=1), IS_WORKED_ON),
    5: (said(message(0), stop(1), message(2)), IS_NOT_MEANT),
    "once": (at_work(message(0), stop(1), message(2), faults=1), IS_NOT_MEANT),
    "together": (said(ENDLESS, stop(1), faults=1), IS_WORKED_ON),
    "level": (said(ENDLESS, stop(1), faults=1), IS_WORKED_ON),
    "fresh": (at_work(message(0), stop(1), message(2), steers=True), IS_NOT_MEANT),
    "sweep": (
        at_work(*STEERED_AND_ENDLESS, steers=True, faults=1),
        "Stop: message 1 was stopped, and is worked on",
    ),
    "newest": (at_work(message(0), take_back(1, aim=0)), IS_TOLD_OF),
    "unsaid": (at_work(message(0), take_back(1, aim=0)), IS_TOLD_OF),
    "late": (
        at_work(message(0), stop(1)),
        "G3: an answer was written and is told to have failed",
    ),
}
"""From where a schedule without the rule breaks which promise about Stop and deletions."""

STOPPED = {
    "everything": (message(0), message(1), stop(2)),
    "what never ends": (ENDLESS, message(1), stop(2)),
    "what never ends by itself": STEERED_AND_ENDLESS,
    "what is at work": (message(0), message(1), stop(2, aim=0)),
    "what waits": (message(0), message(1), stop(2, aim=1)),
    "what waits and never ends": (message(0), message(1, never_ends=True), stop(2, aim=1)),
    "taken back at work": (message(0), message(1), take_back(2, aim=0)),
    "taken back while it waits": (message(0), message(1), take_back(2, aim=1)),
    "two of them": (message(0), stop(1), take_back(2, aim=0)),
}
"""What is stopped while one message is at work and another waits."""

pytestmark = pytest.mark.timeout(3600)

MODES = pytest.mark.parametrize("steers", [False, True], ids=["queue", "steer"])


@MODES
def test_every_interleaving_keeps_every_promise(steers: bool) -> None:
    found = search(nothing_said(faults=FAULTS), Rules(steers=steers))
    assert found.breach is None, found.breach
    assert found.states > 1_000


@MODES
@pytest.mark.parametrize("events", STOPPED.values(), ids=STOPPED)
def test_stopping_at_any_moment_keeps_every_promise(
    events: tuple[Event, ...], steers: bool
) -> None:
    found = search(at_work(*events, steers=steers, faults=FAULTS), Rules(steers=steers))
    assert found.breach is None, found.breach
    assert found.states > 100


@pytest.mark.parametrize(
    "begin",
    [
        State((ENDLESS, stop(1, repeats=1))),
        said(ENDLESS, stop(1), message(2)),
        said(message(0), take_back(1, aim=0), message(2)),
    ],
    ids=["from the platform on", "and then said more", "and said otherwise"],
)
def test_stopping_what_was_just_said_keeps_every_promise(begin: State) -> None:
    found = search(begin._replace(faults=FAULTS), Rules())
    assert found.breach is None, found.breach
    assert found.states > 1_000


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
    begin = nothing_said(messages=2, faults=0, repeats=0)
    found = search(begin if is_between else nothing_said(messages=1), Rules().without(rule))
    assert found.breach is not None
    assert found.breach.promise == promise
    assert found.breach.schedule


@pytest.mark.parametrize("rule", RULES_OF_STOP)
def test_without_a_rule_some_schedule_breaks_a_promise_about_stop(rule: int | str) -> None:
    begin, promise = RULES_OF_STOP[rule]
    rules = Rules(steers=rule in {"fresh", "sweep"})
    assert search(begin, rules).breach is None
    found = search(begin, rules.without(rule))
    assert found.breach is not None
    assert found.breach.promise == promise
    assert found.breach.schedule


def test_who_made_a_run_late_ends_it_unless_it_dies() -> None:
    begin, promise = RULES_OF_STOP["sweep"]
    unswept = Rules(steers=True).without("sweep")
    nobody_dies = begin._replace(faults=0)
    assert search(nobody_dies, unswept).breach is None
    found = search(nobody_dies, unswept.without("catch"))
    assert found.breach is not None
    assert found.breach.promise == promise


def test_a_message_that_was_only_offered_to_a_run_is_not_answered_by_it() -> None:
    found = search(nothing_said(faults=0), Rules(steers=True).without("steer"))
    assert found.breach is not None
    assert "nobody read it" in found.breach.promise
