"""The time is the API server's, whatever the clock of this machine says or is set to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

from sympozium.contract.resources import NAMESPACES
from sympozium.contract.times import parse_kube_time
from sympozium.kube import client
from sympozium.kube.client import Kube
from sympozium.kube.clock import AGREES_WITHIN_S, ServerClock

TRUE_S = 1_790_000_000.25
STEP_S = 600.0


@dataclass
class Machine:
    """The clocks of a machine: what passed, and what its wall clock was set to beside that."""

    passed_s: float = 0.0
    off_s: float = 0.0

    def wall(self) -> float:
        return TRUE_S + self.passed_s + self.off_s

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    @property
    def date(self) -> str:
        """What a server says whose clock is right."""
        return formatdate(TRUE_S + self.passed_s, usegmt=True)

    @property
    def truth(self) -> datetime:
        return datetime.fromtimestamp(TRUE_S + self.passed_s, UTC)


def a_clock(machine: Machine) -> ServerClock:
    return ServerClock(wall=machine.wall, monotonic=machine.monotonic)


def off_s(clock: ServerClock, machine: Machine) -> float:
    return abs((clock.now() - machine.truth).total_seconds())


def test_before_any_answer_it_is_the_machines_own() -> None:
    machine = Machine(off_s=STEP_S)
    assert off_s(a_clock(machine), machine) == STEP_S


@pytest.mark.parametrize("step_s", [STEP_S, -STEP_S], ids=["ahead", "behind"])
def test_a_clock_that_is_wrong_is_not_believed(step_s: float) -> None:
    machine = Machine(off_s=step_s)
    clock = a_clock(machine)
    clock.hear(machine.date)
    assert off_s(clock, machine) <= 1.0


@pytest.mark.parametrize("step_s", [STEP_S, -STEP_S], ids=["ahead", "behind"])
def test_a_clock_that_is_set_between_two_answers_changes_nothing(step_s: float) -> None:
    machine = Machine()
    clock = a_clock(machine)
    clock.hear(machine.date)
    machine.off_s, machine.passed_s = step_s, 1.5
    assert off_s(clock, machine) < 0.001
    clock.hear(machine.date)
    assert off_s(clock, machine) <= 1.0


def test_a_clock_that_agrees_is_finer_than_a_date() -> None:
    machine = Machine(off_s=AGREES_WITHIN_S / 4)
    clock = a_clock(machine)
    clock.hear(machine.date)
    machine.passed_s = 30.5
    assert off_s(clock, machine) == machine.off_s


def test_a_machine_that_slept_hears_the_time_from_the_next_answer() -> None:
    machine = Machine()
    clock = a_clock(machine)
    clock.hear(machine.date)
    asleep = 3600.0  # in which the clock that nobody sets stands still
    later = formatdate(TRUE_S + asleep, usegmt=True)
    machine.off_s = asleep
    clock.hear(later)
    assert abs(clock.now().timestamp() - TRUE_S - asleep) < 0.001


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_what_is_no_date_says_nothing(date: str) -> None:
    machine = Machine()
    clock = a_clock(machine)
    clock.hear(machine.date)
    clock.hear(date)
    assert off_s(clock, machine) == 0.0


async def test_the_server_says_the_time_with_whatever_it_answers(
    api: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = ServerClock(wall=lambda: datetime.now(UTC).timestamp() + STEP_S)
    monkeypatch.setattr(api, "_clock", ahead)
    made = await api.create(NAMESPACES, {"metadata": {"name": "dated"}})
    created = parse_kube_time(made["metadata"]["creationTimestamp"])
    assert abs((api.now() - created).total_seconds()) <= client.REQUEST_TIMEOUT_S
