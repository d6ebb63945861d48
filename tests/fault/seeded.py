"""A seeded load under a seeded schedule of faults, then quiet, then the ledger.

    python -m tests.fault.seeded --seed 7 --seconds 60          print seed and schedule, run it
    python -m tests.fault.seeded --seed 7 --seconds 60 --dry    print them only
    python -m tests.fault.seeded --schedule FILE                that schedule; lines as printed
    python -m tests.fault.seeded --seed 7 --shrink-minutes 15   look longer for a shorter one

In a file, `pause POINT SECONDS` stops whoever comes next to a sync point,
and `die POINT` kills whoever comes there; README.md has every kind of fault.

The exit code is 1 if a promise was broken. Then parts of the schedule are left out, as
long as time allows, and the shortest schedule known to fail is printed.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from sympozium.runtime.sync_points import Point
from sympozium.testing.postgresql import postgresql_programs
from sympozium_local.system.home import Home
from tests.fault.acts import Acts
from tests.fault.keeping import copy_what_was_written
from tests.fault.laboratory import bus_disk, own_system
from tests.fault.ledger import Breach, Entry
from tests.fault.loads import Crowd
from tests.fault.observer import observing
from tests.fault.plant import Plant, planted
from tests.fault.schedule import Moment, draw, explained, fills_disk, harms_store, possible, read
from tests.fault.shrink import shorter
from tests.fault.verdict import STUCK
from tests.fixtures.chat import Person
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.system import ScriptedModel

QUIET_S = 150.0
"""How long everything may take to end once nothing goes wrong any more."""


@dataclass(frozen=True)
class Result:
    """What came of a schedule.

    Attributes:
        fates: How much was said, and how often it ended how.
        quiet_s: From the last fault until everybody saw the end of everything.
        hit: At which points somebody was stopped, and at which of a run somebody has died.
        bots: What each chat platform has counted.
        wronged: How many requests the API server answered wrongly.
    """

    fates: Counter[str]
    quiet_s: float
    problems: list[str]
    hit: Sequence[Point] = ()
    bots: Sequence[str] = ()
    wronged: int = 0


@dataclass(frozen=True)
class Plan:
    """What is done in one run."""

    schedule: Sequence[Moment]
    seed: str
    seconds: float


async def run_once(plan: Plan, *, keep: Path | None = None) -> Result:
    """Run a plan in a system of its own; *keep* what it wrote where a promise was broken."""
    with ExitStack() as stack:
        disk = stack.enter_context(bus_disk()) if fills_disk(plan.schedule) else None
        system, model_port = stack.enter_context(own_system(bus_on=disk, steps=True))
        store = postgresql_programs() if harms_store(plan.schedule) else None
        async with planted(system, model_port, seed=plan.seed, postgresql=store) as plant:
            plant.disk = disk
            result = await run_in(plant, system, model_port, plan)
            if keep is not None and result.problems:
                copy_what_was_written(Home(system.home), keep)
            return result


async def run_in(plant: Plant, system: EmbeddedSystem, model_port: int, plan: Plan) -> Result:
    """Run a plan in a system whose connections lead through proxies."""
    async with acting(plant, system, model_port, plan.seed) as acts:
        acts.explained = explained(plan.schedule)
        try:
            async with asyncio.timeout(plan.seconds + QUIET_S), asyncio.TaskGroup() as group:
                group.create_task(acts.run())
                group.create_task(_play(plant, plan))
                group.create_task(_enough_after(acts, plan.seconds))
            began = time.monotonic()
            async with asyncio.timeout(QUIET_S):
                await acts.until_seen()
                quiet_s = time.monotonic() - began
                await acts.once_more()
                await acts.until_seen()
            problems = await acts.problems()
        except TimeoutError:
            quiet_s = QUIET_S
            problems = await acts.problems() or [str(Entry(Breach.STUCK, STUCK))]
        bots = [_at_platform(name, crowd) for name, crowd in acts.bots.items()]
        wronged = sum(api.wronged for api in plant.apis.values())
        return Result(acts.fates(), quiet_s, problems, plant.hit, bots, wronged)


def _at_platform(name: str, crowd: Crowd) -> str:
    assert crowd.driver is not None
    accepted = sum(one.identity in crowd.accepted for one in crowd.said)
    in_penalty = crowd.driver.counts.calls_in_penalty
    return f"{name}: {len(crowd.said)} said, {accepted} confirmed, {in_penalty} calls in a penalty"


@asynccontextmanager
async def acting(
    plant: Plant, system: EmbeddedSystem, model_port: int, seed: str
) -> AsyncIterator[Acts]:
    """Have people who act at every channel of a system, and one who sees what is stored."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as http, observing(plant.home) as observer:
        model = ScriptedModel(f"http://127.0.0.1:{model_port}", http)
        own = {"Host": f"127.0.0.1:{system.port}"}  # or it would be another website
        person = Person(http, f"http://127.0.0.1:{plant.pairs['people-web'].port}", own)
        web = Crowd(person, model, plant.kube, observer, f"{seed}/web")
        bots = {
            name: Crowd(person, model, plant.kube, observer, f"{seed}/{name}", driver)
            for name, driver in plant.drivers.items()
        }
        for crowd in bots.values():
            crowd.behaviours = web.behaviours
        yield Acts(web, bots, seed)
        await model.script()


async def _play(plant: Plant, plan: Plan) -> None:
    """Inject every fault at its time; return when all are over."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for moment in plan.schedule:
            await asyncio.sleep(max(0.0, began + moment.at_s - time.monotonic()))
            sys.stderr.write(f"{time.monotonic() - began:6.1f}  {moment}\n")
            group.create_task(moment.fault.inject(plant))


async def _enough_after(acts: Acts, seconds: float) -> None:
    await asyncio.sleep(seconds)
    acts.is_enough.set()


def main() -> None:
    """Run what is asked for; print the shortest schedule that fails."""
    given = _parsed()
    schedule = read(given.schedule) if given.schedule else draw(given.seed, given.seconds)
    if (less := possible(schedule)) != schedule:
        _say("# left out is what needs a C compiler, user namespaces or PostgreSQL: not here")
        schedule = less
    last_s = max((moment.at_s for moment in schedule), default=0.0)
    seconds = max(given.seconds, last_s) if given.schedule else given.seconds
    lines = "\n".join(str(moment) for moment in schedule)
    _say(f"# --seed {given.seed} --seconds {seconds}\n{lines}")
    if given.dry:
        return
    result = asyncio.run(run_once(Plan(schedule, str(given.seed), seconds), keep=given.keep))
    _tell(result)
    if not result.problems:
        return

    def fails(part: Sequence[Moment]) -> bool:
        sys.stderr.write(f"again, with {len(part)} of {len(schedule)} faults\n")
        again = asyncio.run(run_once(Plan(part, str(given.seed), seconds)))
        _tell(again)
        return bool(again.problems)

    least = shorter(schedule, fails, until=time.monotonic() + 60 * given.shrink_minutes)
    lines = "\n".join(str(moment) for moment in least)
    _say(f"# shortest known to fail, of seed {given.seed}:\n{lines}")
    raise SystemExit(1)


def _tell(result: Result) -> None:
    kept = "\n".join(result.problems) or "every promise was kept"
    hit = ", ".join(point.value for point in result.hit) or "none"
    _say("\n".join(result.bots))
    _say(f"stopped, or dead in a run, at: {hit}; {result.wronged} requests answered wrongly")
    ends = ", ".join(f"{number} {name}" for name, number in sorted(result.fates.items()))
    _say(f"{ends}; all seen {result.quiet_s:.1f} s after: {kept}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fault.seeded",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--schedule", type=Path, help="a file of lines as they are printed")
    parser.add_argument("--shrink-minutes", type=float, default=10.0)
    parser.add_argument("--keep", type=Path, help="where the logs of a run that fails are kept")
    parser.add_argument("--dry", action="store_true", help="only print the schedule")
    return parser.parse_args()


if __name__ == "__main__":
    main()
