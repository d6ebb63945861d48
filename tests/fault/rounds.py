"""Rounds in which programs die at several points each, while people do all that they do.

Each round kills at its points whoever reaches them, kills or ends the bus in the middle,
and asks everybody one thing more before the ledger is read. A round is a line of text, and
can be run again from it.
"""

import asyncio
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from typing_extensions import override

from sympozium.runtime.sync_points import Point
from sympozium_local.system.home import Home, read_json
from tests.fault import acts, loads
from tests.fault.bots import PLATFORMS
from tests.fault.loads import Crowd, Load

RESTART_AFTER_S = (0.1, 2.0)
"""When the bus dies, after people began to talk."""

POINTS_AT_ONCE = {"router": 3, "controller": 2, "web": 1, "channel": 2, "bridge": 2, "tool": 2}
"""Of one program in one round; in a run's pod only what does not end the pod may be more."""

FEW = 12
"""Points that are left and are hard to come by."""


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
BURSTS = (acts.burst, acts.group_burst, acts.edit, loads.look, loads.chat, loads.stop)
SECOND_THOUGHTS = (acts.delete, acts.press, acts.edit, loads.look, loads.chat)

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
    "interrupt": Kind("interrupt", (acts.interrupt, loads.look, loads.chat)),
    "burst": Kind("queue", BURSTS),
    "rethink": Kind("queue", SECOND_THOUGHTS),
}
CYCLE = (
    *("bridge", "agent", "burst", "steer", "tool", "interrupt", "rethink"),
    *("bridge", "absorb", "agent", "collect", "burst"),
)
OWN = frozenset(chain.from_iterable(kind.own for kind in KINDS.values()))


@dataclass(frozen=True)
class Round:
    """What is done in one round.

    Attributes:
        platform: At which people talk to a bot in it.
        restart: How the bus ends in it, and when after its begin; None: it does not.
    """

    number: int
    kind: str
    platform: str
    points: tuple[Point, ...]
    restart: tuple[signal.Signals, float] | None = None

    @override
    def __str__(self) -> str:
        """Return it in a line."""
        bus = f", bus {self.restart[0].name} at {self.restart[1]:.1f} s" if self.restart else ""
        points = " ".join(point.value for point in self.points)
        return f"round {self.number} {self.kind} {self.platform}{bus}: {points}"


_LINE = re.compile(r"round (\d+) (\w+) (\w+)(?:, bus (\w+) at ([\d.]+) s)?: (.*)")


def parse(line: str) -> Round:
    """Return the round that a line is about.

    Raises:
        ValueError: It is about none.
    """
    found = _LINE.fullmatch(line.strip())
    if found is None or found[2] not in KINDS or found[3] not in PLATFORMS:
        raise ValueError(f"{line!r} is no round")
    restart = (signal.Signals[found[4]], float(found[5])) if found[4] else None
    points = tuple(Point(name) for name in found[6].split())
    return Round(int(found[1]), found[2], found[3], points, restart)


@dataclass
class Plan:
    """Draws rounds: of each program those points first at which the fewest have died.

    Platforms take turns.
    """

    seed: int
    number: int = 0

    def draw(self, deaths: Counter[Point], missing: Collection[Point], *, bus: bool) -> Round:
        """Return the next round; where points are *missing*, one that comes by some of them."""
        self.number += 1
        chance = random.Random(f"{self.seed}/{self.number}")
        turn = self.number % len(CYCLE)
        kinds = [*CYCLE[turn:], *CYCLE[:turn]]
        useful = [name for name in kinds if not missing or set(missing) & set(_points_of(name))]
        name = useful[0]
        points = [one for one in _points_of(name) if one in missing or not _are_few(missing)]
        order = sorted(points, key=lambda point: (deaths[point], chance.random()))
        dealt = [
            point
            for program in dict.fromkeys(point.program for point in order)
            for point in [one for one in order if one.program == program][: _at_once(program)]
        ]
        restart = None
        if bus:
            how = chance.choice((signal.SIGKILL, signal.SIGTERM))
            restart = (how, round(chance.uniform(*RESTART_AFTER_S), 1))
        platform = PLATFORMS[(self.number + self.number // len(CYCLE)) % len(PLATFORMS)]
        return Round(self.number, name, platform, tuple(dealt), restart)


def _are_few(missing: Collection[Point]) -> bool:
    """Return whether so few are left that other deaths would keep people from coming by them."""
    return 0 < len(missing) <= FEW


def _at_once(program: str) -> int:
    return POINTS_AT_ONCE.get(program, 1)


def _points_of(name: str) -> list[Point]:
    """Return the points that are reached in a kind of round."""
    kind = KINDS[name]
    programs = {"router", "controller", "web", "channel", *kind.in_pods}
    return [
        point
        for point in Point
        if point.program in programs and (point in kind.own or point not in OWN)
    ]


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
