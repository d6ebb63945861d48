"""One running system, in which one program after the other dies at a sync point."""

import asyncio
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from sympozium.contract.reasons import Reason
from sympozium.runtime.sync_points import Point
from sympozium.testing.channels.driver import Driver
from sympozium_local.system.home import Home
from tests.fault import loads
from tests.fault.arming import CONTROLLER, ROUTER, WEB, Arming, Deaths
from tests.fault.bots import TELEGRAM, added, platforms, url_of
from tests.fault.clocks import build_clock, with_clock
from tests.fault.ledger import Breach, Entry
from tests.fault.loads import Crowd, Load
from tests.fault.observer import observing
from tests.fault.pids import Pids
from tests.fault.sight import all_seen, leftovers
from tests.fault.verdict import DIED, STUCK, WISHED, broken, fates, more_crashed
from tests.fixtures.chat import Person
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.nats_server import free_port
from tests.fixtures.small_disk import SmallDisk, small_disk
from tests.fixtures.system import ScriptedModel, administrator, scriptable_model

LOAD_TIMEOUT_S = 60.0

BUS_DISK = "4g"
"""The bus takes a part of what is free for all that it may ever store."""

STAMPED_WITHIN = timedelta(milliseconds=1)
"""Logs tell the time no more exactly."""

LOADS: dict[Point, Load] = {
    Point.ROUTER_AFTER_TURN: loads.collect,
    Point.ROUTER_AFTER_COMMAND: loads.stop,
    Point.ROUTER_BEFORE_CANCEL: loads.stop,
    Point.ROUTER_AFTER_CANCEL: loads.stop,
    Point.CONTROLLER_BEFORE_DELETE_JOB: loads.stop,
    Point.CONTROLLER_AFTER_DELETE_JOB: loads.stop,
    Point.ROUTER_BEFORE_OFFER: loads.steer,
    Point.ROUTER_AFTER_OFFER: loads.steer,
    Point.BRIDGE_BEFORE_HAND_OVER: loads.steer,
    Point.BRIDGE_AFTER_HAND_OVER: loads.steer,
    Point.AGENT_AFTER_ABSORBED: loads.steer,
}
"""What has to be going on for a point to be reached, where it is not plain talk."""


def load_of(point: Point) -> Load:
    """Return what people do while a program dies at *point*."""
    return loads.chat if point.program == "channel" else LOADS.get(point, loads.talk)


@dataclass(frozen=True)
class Outcome:
    """What came of a death.

    Attributes:
        deaths: How many processes died: of what runs in runs' pods, one a pod.
        recovered_s: From the first death until every end was seen; the rest of the work is
            in it.
        problems: Promises that were not kept; empty where all were.
        leftovers: Posts of a bot that are part of no answer, such as a placeholder that its
            dead author could not note.
    """

    point: Point | None
    load: str
    deaths: int
    took_s: float
    recovered_s: float | None
    problems: list[str] = field(default_factory=list)
    leftovers: int = 0

    @property
    def verdict(self) -> str:
        """Return it in a word or two."""
        if self.problems:
            return "; ".join(self.problems)
        if self.point is None:
            return "nobody was killed"
        if not self.deaths:
            return "not reached"
        return f"recovered, {self.leftovers} left over" if self.leftovers else "recovered"


@dataclass(frozen=True)
class Trial:
    """What came of one load with whatever went wrong in it.

    Attributes:
        since: When people began to talk.
        ended: When everybody had seen the end of everything.
        over: When everybody had seen the answer to one thing more.
        deaths: When somebody died at each point that was armed, from its arming on.
        broken: Promises that were not kept.
        fates: How much was said, and how often it ended how.
        leftovers: As in `Outcome`.
    """

    since: datetime
    ended: datetime
    over: datetime
    deaths: dict[Point, list[datetime]]
    broken: list[Entry]
    fates: Counter[str]
    leftovers: int

    @property
    def problems(self) -> list[str]:
        """What was broken, in words."""
        return [str(entry) for entry in self.broken]


@dataclass(frozen=True)
class Trouble:
    """What is to go wrong during a load, and in which mode the web channel is.

    Attributes:
        points: Where programs die.
        platform: Whose bot it is that dies at points of a channel, and to which people talk.
        meanwhile: What else is done to the system from the load's begin on.
    """

    points: tuple[Point, ...] = ()
    mode: str = "queue"
    platform: str = TELEGRAM
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None

    @property
    def explained(self) -> frozenset[Reason]:
        """Errors that it explains."""
        return DIED if any(point.program == "agent" for point in self.points) else WISHED


class Laboratory:
    """Runs a load, with programs that die in the middle of it, and reads the ledger."""

    def __init__(
        self, crowd: Crowd, arming: Arming, pids: Pids, seed: int, drivers: Mapping[str, Driver]
    ) -> None:
        self._template = crowd
        self._arming = arming
        self.pids = pids
        self._seed = seed
        self._drivers = drivers
        self._mode = "queue"

    async def run(self, point: Point | None) -> Outcome:
        """Have the program of *point* die there during a load; None: nobody dies.

        What an earlier death left unsettled may come again before the load begins, and
        kill the program too early; then it is tried once more.
        """
        outcome = await self._run(point)
        if point is None or outcome.deaths or outcome.problems:
            return outcome
        await self._arming.disarm()
        return await self._run(point)

    async def _run(self, point: Point | None) -> Outcome:
        load = loads.talk if point is None else load_of(point)
        mode = load.__name__ if load in {loads.collect, loads.steer} else "queue"
        points = () if point is None else (point,)
        trial = await self.trial(load, Trouble(points, mode), name=uuid.uuid4().hex[:4])
        deaths = [
            moment
            for moments in trial.deaths.values()
            for moment in moments
            if trial.since <= moment <= trial.ended
        ]
        return Outcome(
            point,
            load.__name__,
            len(deaths),
            (trial.ended - trial.since).total_seconds(),
            (trial.ended - deaths[0]).total_seconds() if deaths else None,
            trial.problems,
            trial.leftovers,
        )

    async def trial(self, load: Load, trouble: Trouble, *, name: str) -> Trial:
        """Run *load* in *trouble*, ask everybody one thing more, and read the ledger.

        The same *name* (and seed) says the same things.
        """
        armed = datetime.now(UTC) - STAMPED_WITHIN
        await self._arming.arm(*trouble.points, bot=trouble.platform)
        crowd = self.crowd(name, trouble.platform)
        if trouble.mode != self._mode:
            await loads.set_mode(crowd.kube, trouble.mode)
            self._mode = trouble.mode
        since = datetime.now(UTC) - STAMPED_WITHIN
        found = await self._load(load, crowd, trouble)
        ended = datetime.now(UTC)
        if not found:
            found = await self._once_more(crowd, trouble)
        over = datetime.now(UTC)
        deaths = Deaths(self.pids.home.node / "pods", armed).by_point(trouble.points)
        killed = sum(len(when) for point, when in deaths.items() if point.program == "agent")
        found += more_crashed(crowd.said, crowd.observer, killed)
        counted = fates(crowd.said, crowd.observer)
        return Trial(since, ended, over, deaths, found, counted, leftovers(crowd))

    async def close(self) -> None:
        """Leave nobody armed, and the web channel as it was."""
        await self._arming.disarm()
        await loads.set_mode(self._template.kube, "queue")

    def crowd(self, name: str, platform: str = TELEGRAM) -> Crowd:
        """Return people who have said nothing; the same *name* says the same things.

        Those who talk to a bot do so at *platform*, where there is one.
        """
        driver = self._drivers.get(platform)
        one = self._template
        return Crowd(one.person, one.model, one.kube, one.observer, f"{self._seed}/{name}", driver)

    async def _load(self, load: Load, crowd: Crowd, trouble: Trouble) -> list[Entry]:
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S), asyncio.TaskGroup() as group:
                if trouble.meanwhile is not None:
                    group.create_task(trouble.meanwhile())
                await load(crowd)
                await all_seen(crowd)
        except TimeoutError:
            return await broken(crowd, trouble.explained) or [Entry(Breach.STUCK, STUCK)]
        return []

    async def _once_more(self, crowd: Crowd, trouble: Trouble) -> list[Entry]:
        """Return what is wrong once everybody was answered one thing more."""
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await loads.once_more(crowd)
                await all_seen(crowd)
        except TimeoutError:
            return await broken(crowd, trouble.explained) or [Entry(Breach.STUCK, STUCK)]
        return await broken(crowd, trouble.explained)


@contextmanager
def running_system(
    directory: Path, model_port: int, variables: Mapping[str, str]
) -> Iterator[EmbeddedSystem]:
    """Start the whole system over an empty home, with more *variables*; stop it at the end."""
    port = free_port()
    environ = {
        **os.environ,
        "SYMPOZIUM_HOME": str(directory),
        "SYMPOZIUM_PORT": str(port),
        "SYMPOZIUM_MODEL": "demo",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
        "OPENAI_API_KEY": "none",
        **variables,
    }
    system = EmbeddedSystem(directory, port, environ)
    up = system.sympozium("up", "--background", timeout_s=90)
    try:
        if up.returncode:
            raise RuntimeError(up.stdout + up.stderr)
        yield system
    finally:
        system.sympozium("down", timeout_s=90)


@asynccontextmanager
async def laboratory(
    system: EmbeddedSystem, model_port: int, *, seed: int, bots: Sequence[str] = ()
) -> AsyncIterator[Laboratory]:
    """Set up over a running system; *bots*: the platforms at which there is also a bot."""
    home = Home(system.home)
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        administrator(system) as kube,
        aiohttp.ClientSession(timeout=timeout) as http,
        observing(home) as observer,
        platforms(*bots) as drivers,
        added(system, drivers, {name: url_of(one) for name, one in drivers.items()}) as places,
    ):
        model = ScriptedModel(f"http://127.0.0.1:{model_port}", http)
        crowd = Crowd(Person(http, system.url), model, kube, observer, "")
        pids = Pids(home, kube, {"router": ROUTER, "controller": CONTROLLER, "web": WEB, **places})
        lab = Laboratory(crowd, Arming(kube, bots=places), pids, seed, drivers)
        try:
            yield lab
        finally:
            await lab.close()
            await model.script()


@contextmanager
def own_system(
    *, bus_on: SmallDisk | None = None, steps: bool = False
) -> Iterator[tuple[EmbeddedSystem, int]]:
    """Start a system and its model for one laboratory; yield it and the model's port.

    Its bus stores what it has on a disk of its own, where one is given. *steps*: the clock of
    the API server and the node can be stepped; it is in the home.
    """
    with tempfile.TemporaryDirectory() as folder:
        model_folder, home = Path(folder, "model"), Path(folder, "home")
        model_folder.mkdir()
        Home(home).prepare()
        if bus_on is not None:
            (Home(home).nats / "data").symlink_to(bus_on.outside)
        if steps:
            build_clock(home, seen_at=home)
        clock = with_clock(home) if steps else {}
        with scriptable_model(model_folder) as port, running_system(home, port, clock) as system:
            yield system, port


@contextmanager
def bus_disk() -> Iterator[SmallDisk]:
    """Yield a disk for the bus, which can be filled; it is in memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        small_disk(Path(folder, "bus"), BUS_DISK) as disk,
    ):
        yield disk
