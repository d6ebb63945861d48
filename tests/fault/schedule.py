"""Schedules of faults: drawn from a seed, written as lines of text, and read again.

2.4 kill router
5.0 stop controller 35.0
7.3 api router lost 0.3 writes 4.0
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from typing import get_type_hints

from typing_extensions import override

from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import SHARED_ACK_WAIT_S
from sympozium.kube.lease import DURATION_S
from sympozium.runtime.sync_points import Point
from sympozium.testing.channels.driver import Fault as PlatformFault
from sympozium.testing.postgresql import postgresql_programs
from tests.fault.api_proxy import Wrong
from tests.fault.bots import PLATFORMS
from tests.fault.clocks import can_step
from tests.fault.faults.answers import Api, Platform
from tests.fault.faults.clocks import MACHINE, Clock
from tests.fault.faults.disk import Fill, Full
from tests.fault.faults.network import Deaf, Refuse, Reset, Slow
from tests.fault.faults.pauses import Pause
from tests.fault.faults.processes import Die, Kill, Restart, Stop
from tests.fault.faults.shape import Fault
from tests.fault.pids import PROGRAMS, STORE
from tests.fault.plant import API_USERS, LIVE, NODE_CLOCK, PAIRS, STORE_PAIR
from tests.fault.verdict import HARMED
from tests.fixtures.small_disk import can_mount

KINDS: dict[str, Callable[..., Fault]] = {
    "kill": Kill,
    "restart": Restart,
    "stop": Stop,
    "die": Die,
    "pause": Pause,
    "refuse": Refuse,
    "reset": Reset,
    "slow": Slow,
    "deaf": Deaf,
    "api": Api,
    "platform": Platform,
    "full": Full,
    "fill": Fill,
    "clock": Clock,
}
_NEEDS: dict[type[Fault], Callable[[], bool]] = {Clock: can_step, Fill: can_mount}
"""A C compiler, and user namespaces."""

MEAN_PAUSE_S = 2.5
LONGEST_STOP_S = 35.0
"""Longer than the bus waits for an acknowledgement."""

PAUSE_S = (2 * max(SHARED_ACK_WAIT_S, DURATION_S), 8.0)
"""Long enough that the bus gives away what a stopped program holds, and its lease is over."""

TRANSIENT = (
    PlatformFault.BUSY,
    PlatformFault.BROKEN,
    PlatformFault.RESET,
    PlatformFault.LOST_ANSWER,
)


@dataclass(frozen=True)
class Moment:
    """A fault, and when after the load's begin it comes."""

    at_s: float
    fault: Fault

    @override
    def __str__(self) -> str:
        """Return it as a line."""
        names = {kind: name for name, kind in KINDS.items()}
        values = vars(self.fault).values()
        words = [str(one.value if isinstance(one, Enum) else one) for one in values]
        return " ".join([f"{self.at_s:.1f}", names[type(self.fault)], *words])


def read(path: Path) -> list[Moment]:
    """Return the schedule in a file.

    Raises:
        ValueError: A line is none of a schedule.
    """
    lines = (line.strip() for line in path.read_text().splitlines())
    return [parse(line) for line in lines if line and not line.startswith("#")]


def parse(line: str) -> Moment:
    """Return what a line says.

    Raises:
        ValueError: It says nothing.
    """
    at_s, name, *words = line.split()
    if name not in KINDS:
        raise ValueError(f"{line!r}: there is no fault {name!r}; there are {', '.join(KINDS)}")
    kind = KINDS[name]
    hints = get_type_hints(kind)
    wanted = [hints[field.name] for field in fields(kind)]  # type: ignore[arg-type] # all are dataclasses
    if len(words) != len(wanted):
        raise ValueError(f"{line!r}: {name} takes {len(wanted)} words, not {len(words)}")
    values = [convert(word) for convert, word in zip(wanted, words, strict=True)]
    try:
        return Moment(float(at_s), kind(*values))
    except ValueError as error:
        raise ValueError(f"{line!r}: {error}") from error


def possible(schedule: Sequence[Moment]) -> list[Moment]:
    """Return the schedule without what cannot be done on this machine."""
    left_out = tuple(kind for kind, can_be in _NEEDS.items() if not can_be())
    possible = [moment for moment in schedule if not isinstance(moment.fault, left_out)]
    if postgresql_programs() is None:
        return [moment for moment in possible if not _is_of_store(moment)]
    return possible


def explained(schedule: Sequence[Moment]) -> frozenset[Reason]:
    """Return the errors that people may be told when all of it happens.

    Where the machine's clock goes ahead, or back to what it was, what runs is suddenly older
    than it may become.
    """
    jumps = any(
        isinstance(moment.fault, Clock) and moment.fault.program in {MACHINE, NODE_CLOCK}
        for moment in schedule
    )
    return HARMED | {Reason.DEADLINE_EXCEEDED} if jumps else HARMED


def fills_disk(schedule: Sequence[Moment]) -> bool:
    """Return whether the bus needs a disk of its own."""
    return any(isinstance(moment.fault, Fill) for moment in schedule)


def harms_store(schedule: Sequence[Moment]) -> bool:
    """Return whether the router needs a PostgreSQL server."""
    return any(map(_is_of_store, schedule))


def _is_of_store(moment: Moment) -> bool:
    return not {STORE, STORE_PAIR}.isdisjoint(vars(moment.fault).values())


def draw(seed: int, seconds: float) -> list[Moment]:
    """Return faults for so many seconds; the same seed gives the same ones."""
    return list(_moments(random.Random(f"{seed}/faults"), seconds))


def _moments(chance: random.Random, seconds: float) -> Iterator[Moment]:
    at_s = 0.0
    kinds, weights = zip(*_WEIGHTS, strict=True)
    while (at_s := at_s + chance.expovariate(1 / MEAN_PAUSE_S)) < seconds:
        (make,) = chance.choices(kinds, weights)
        yield Moment(round(at_s, 1), make(chance))


def _for_s(chance: random.Random, low: float, high: float) -> float:
    return round(chance.uniform(low, high), 1)


def _stop(chance: random.Random) -> Fault:
    is_long = chance.random() < 0.2
    for_s = LONGEST_STOP_S if is_long else _for_s(chance, 1, 8)
    return Stop(chance.choice(PROGRAMS), for_s)


def _api(chance: random.Random) -> Fault:
    program = chance.choice(API_USERS)
    verbs = chance.choice(("reads", "writes", "all"))
    rate = chance.choice((0.3, 1.0))
    return Api(program, chance.choice(list(Wrong)), rate, verbs, _for_s(chance, 1, 6))


def _clock(chance: random.Random) -> Fault:
    step_s = chance.choice((-600, 600))
    return Clock(chance.choice((*LIVE, MACHINE)), step_s, _for_s(chance, 2, 15))


def _deaf(chance: random.Random) -> Fault:
    way = chance.choice(("there", "back", "both"))
    return Deaf(chance.choice(PAIRS), way, _for_s(chance, 1, 12))


def _pause(chance: random.Random) -> Fault:
    is_long = chance.random() < 0.2
    return Pause(
        chance.choice(list(Point)), LONGEST_STOP_S if is_long else _for_s(chance, *PAUSE_S)
    )


_WEIGHTS: Sequence[tuple[Callable[[random.Random], Fault], float]] = (
    (lambda chance: Kill(chance.choice(PROGRAMS)), 6),
    (lambda chance: Die(chance.choice(list(Point))), 6),
    (_stop, 3),
    (_pause, 4),
    (lambda chance: Restart("bus"), 1),
    (lambda chance: Refuse(chance.choice(PAIRS), _for_s(chance, 0.5, 6)), 3),
    (lambda chance: Reset(chance.choice(PAIRS)), 3),
    (
        lambda chance: Slow(chance.choice(PAIRS), _for_s(chance, 0.1, 1.5), _for_s(chance, 1, 6)),
        2,
    ),
    (_deaf, 3),
    (_api, 4),
    (
        lambda chance: Platform(
            chance.choice(PLATFORMS), chance.choice(TRANSIENT), chance.randint(1, 3)
        ),
        4,
    ),
    (_clock, 2),
    (lambda chance: Full(_for_s(chance, 1, 5)), 0.5),
    (lambda chance: Fill(_for_s(chance, 1, 5)), 0.5),
)
