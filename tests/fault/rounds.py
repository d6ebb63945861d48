"""Rounds in which programs die at several points each, while people do all that they do.

Each round kills at its points whoever reaches them, kills or ends the bus in the middle,
and asks everybody one thing more before the ledger is read. The same seed and number
give the same round.
"""

import asyncio
import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from typing_extensions import override

from sympozium.runtime.sync_points import Point
from sympozium_local.system.home import Home, read_json
from tests.fault import loads
from tests.fault.loads import Crowd, Load

RESTART_AFTER_S = (0.1, 2.0)
"""When the bus dies, after people began to talk."""

POINTS_AT_ONCE = {"router": 3, "controller": 2, "web": 1, "channel": 2, "bridge": 2}
"""Of one program in one round; in a run's pod only what does not end the pod may be more."""


@dataclass(frozen=True)
class Kind:
    """What people do in a round, and which points come by only then.

    Attributes:
        mode: Of the web channel.
        own: Points that are reached in no other kind.
        in_pods: Which container of runs dies. An agent that dies ends its pod, so that its
            bridge would reach nothing.
    """

    mode: str
    loads: tuple[Load, ...]
    own: tuple[Point, ...] = ()
    in_pods: tuple[str, ...] = ("bridge",)


STEER = (Point.ROUTER_BEFORE_OFFER, Point.ROUTER_AFTER_OFFER)
HAND_OVER = (Point.BRIDGE_BEFORE_HAND_OVER, Point.BRIDGE_AFTER_HAND_OVER)
COLLECT = (Point.ROUTER_AFTER_TURN,)
QUEUE = (loads.talk, loads.stop, loads.chat)

KINDS = {
    "bridge": Kind("queue", QUEUE),
    "agent": Kind("queue", QUEUE, in_pods=("agent",)),
    "tool": Kind("queue", QUEUE, in_pods=("tool", "bridge")),
    "steer": Kind("steer", (loads.steer, loads.look, loads.chat), STEER + HAND_OVER),
    "absorb": Kind(
        "steer",
        (loads.steer, loads.look, loads.chat),
        (*STEER, Point.AGENT_AFTER_ABSORBED),
        in_pods=("agent",),
    ),
    "collect": Kind("collect", (loads.collect, loads.look, loads.chat), COLLECT),
}
CYCLE = ("bridge", "agent", "bridge", "steer", "tool", "bridge", "absorb", "agent", "collect")
OWN = frozenset(chain.from_iterable(kind.own for kind in KINDS.values()))


@dataclass(frozen=True)
class Round:
    """What is done in one round.

    Attributes:
        restart: How the bus ends in it, and when after its begin; None: it does not.
    """

    number: int
    kind: str
    points: tuple[Point, ...]
    restart: tuple[signal.Signals, float] | None = None

    @override
    def __str__(self) -> str:
        """Return it in a line."""
        bus = f", bus {self.restart[0].name} at {self.restart[1]:.1f} s" if self.restart else ""
        points = " ".join(point.value for point in self.points)
        return f"round {self.number} {self.kind}{bus}: {points}"


def plan(seed: int, *, restarts_each: float = 1.0) -> Iterator[Round]:
    """Yield rounds without end; each point is dealt as often as the others of its program."""
    decks = {program: _Deck(program, seed) for program in _programs()}
    own = {name: _Deck(name, seed, KINDS[name].own) for name in KINDS}
    number = 0
    while True:
        name = CYCLE[number % len(CYCLE)]
        number += 1
        chance = random.Random(f"{seed}/{number}")
        dealt = own[name].deal(2)
        for program in ("router", "controller", "web", "channel", *KINDS[name].in_pods):
            taken = sum(point.program == program for point in dealt)
            dealt += decks[program].deal(max(0, POINTS_AT_ONCE.get(program, 1) - taken))
        restart = None
        if chance.random() < restarts_each:
            how = chance.choice((signal.SIGKILL, signal.SIGTERM))
            restart = (how, chance.uniform(*RESTART_AFTER_S))
        yield Round(number, name, tuple(dict.fromkeys(dealt)), restart)


def _programs() -> set[str]:
    return {point.program for point in Point}


class _Deck:
    """Points in an order of chance; when all were dealt, all are dealt again."""

    def __init__(self, name: str, seed: int, points: Sequence[Point] | None = None) -> None:
        self._chance = random.Random(f"{seed}/{name}")
        program = [one for one in Point if one.program == name and one not in OWN]
        self._points = list(program if points is None else points)
        self._left: list[Point] = []

    def deal(self, count: int) -> list[Point]:
        """Return the next *count* points."""
        dealt: list[Point] = []
        while self._points and len(dealt) < count:
            if not self._left:
                self._left = self._chance.sample(self._points, len(self._points))
            dealt.append(self._left.pop())
        return dealt


@dataclass
class Fallen:
    """What became of the bus in a round."""

    moments: list[datetime] = field(default_factory=list)


async def restart_bus(home: Home, how: signal.Signals, after_s: float, fallen: Fallen) -> None:
    """End nats-server; who keeps it running starts it again."""
    await asyncio.sleep(after_s)
    for program in read_json(home.status).get("programs", []):
        if program["name"] == "nats-server" and program["pid"]:
            with suppress(ProcessLookupError):
                os.kill(program["pid"], how)
                fallen.moments.append(datetime.now(UTC))


async def all_at_once(crowd: Crowd, wanted: Sequence[Load]) -> None:
    """Have people do all of this at once."""
    async with asyncio.TaskGroup() as group:
        for load in wanted:
            group.create_task(load(crowd))
