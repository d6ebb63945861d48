"""What the conditions of a Channel come to."""

from itertools import permutations

import pytest

from sympozium.contract.ready import with_ready
from sympozium.contract.resources import Object

NOW, BEFORE = "2026-01-02T03:04:05Z", "2026-01-01T00:00:00Z"


def condition(type_: str, status: str, reason: str = "", message: str = "") -> Object:
    made: Object = {"type": type_, "status": status, "reason": reason or type_}
    return {**made, "observedGeneration": 7, **({"message": message} if message else {})}


def ready(*conditions: Object) -> Object:
    """Return what `Ready` says; {}: nothing."""
    found = [one for one in with_ready(conditions, now=NOW) if one["type"] == "Ready"]
    return dict(found[0]) if found else {}


AVAILABLE = condition("Available", "True", "Running")
STARTING = condition("Available", "False", "Starting", "it is rolled out")
CONNECTED = condition("Connected", "True")
REFUSED = condition("Connected", "False", "TokenRevoked", "renew it")
UNKNOWN = condition("Connected", "Unknown")
DEAD = condition("Delivered", "False", "DeadLetters", "look")


@pytest.mark.parametrize(
    ("conditions", "status", "reason", "message"),
    [
        ((AVAILABLE,), "True", "Ready", ""),
        ((AVAILABLE, CONNECTED), "True", "Ready", ""),
        ((AVAILABLE, UNKNOWN), "True", "Ready", ""),
        ((AVAILABLE, CONNECTED, DEAD), "True", "Ready", ""),
        ((STARTING, CONNECTED), "False", "Starting", "it is rolled out"),
        ((AVAILABLE, REFUSED), "False", "TokenRevoked", "renew it"),
        ((STARTING, REFUSED), "False", "Starting", "it is rolled out"),
    ],
)
def test_a_channel_is_ready_if_it_is_available_and_not_refused(
    conditions: tuple[Object, ...], status: str, reason: str, message: str
) -> None:
    for one_order in permutations(conditions):
        said = ready(*one_order)
        assert (said["status"], said["reason"], said.get("message", "")) == (
            status,
            reason,
            message,
        )
        assert said["observedGeneration"] == 7


def test_nothing_is_said_of_a_channel_of_which_nothing_is_known() -> None:
    assert ready(CONNECTED) == {}


def test_the_time_moves_with_the_truth_only() -> None:
    held = {**ready(STARTING), "lastTransitionTime": BEFORE}
    assert ready(STARTING, held)["lastTransitionTime"] == BEFORE
    assert ready(AVAILABLE, held)["lastTransitionTime"] == NOW


def test_summing_up_again_changes_nothing() -> None:
    once = with_ready([AVAILABLE, REFUSED, DEAD], now=BEFORE)
    assert with_ready(once, now=NOW) == once
