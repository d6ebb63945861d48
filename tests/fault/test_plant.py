"""Whoever stops between two effects until another has taken over does no harm when it goes on.

And what runs in the pod of a run dies at a point of its own, in a pod that was there before
anybody asked for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest

from sympozium.runtime.sync_points import Point
from tests.fault import loads
from tests.fault.acts import Acts
from tests.fault.faults.pauses import held
from tests.fault.faults.processes import die_in_a_run
from tests.fault.laboratory import own_system
from tests.fault.pids import IN_RUNS, PROGRAMS
from tests.fault.plant import LIVE, Plant, planted
from tests.fault.seeded import acting
from tests.fixtures.embedded_system import EmbeddedSystem

pytestmark = pytest.mark.timeout(300)

WAIT_S = 60.0
LOOK_S = 0.1

FROZEN = {
    Point.ROUTER_AFTER_CREATE: loads.talk,
    Point.ROUTER_BEFORE_ACK: loads.talk,
    Point.ROUTER_AFTER_FINISH: loads.talk,
    Point.CONTROLLER_BEFORE_STATUS: loads.look,
}
"""Where somebody stops, and what people are answered meanwhile.

No run is begun while a controller is stopped: it would be asked about it, too.
"""

DEAD = (Point.BRIDGE_AFTER_END, Point.AGENT_BEFORE_END, Point.TOOL_BEFORE_ANSWER)


@dataclass(frozen=True)
class Found:
    """At which points somebody was, and which promises were not kept."""

    hit: list[Point]
    problems: list[str]


@dataclass(frozen=True)
class Findings:
    """What came of those who stopped, and of those who died in the pods of runs.

    Attributes:
        at_work: Programs of which processes were found while a run was at work.
    """

    frozen: Found
    dead: Found
    at_work: set[str]


@pytest.fixture(scope="module")
def found() -> Iterator[Findings]:
    """What was found in one system, one after the other."""
    with own_system() as (system, model_port):
        yield asyncio.run(_all(system, model_port))


async def _all(system: EmbeddedSystem, model_port: int) -> Findings:
    async with (
        planted(system, model_port, seed="plant") as plant,
        acting(plant, system, model_port, "plant") as acts,
    ):
        frozen = await _after(_freeze, plant, acts)
        dead = await _after(_have_die, plant, acts)
        return Findings(frozen, dead, await _at_work(plant, acts))


async def _after(harm: Callable[[Plant, Acts], Awaitable[None]], plant: Plant, acts: Acts) -> Found:
    plant.hit.clear()
    try:
        async with asyncio.timeout(2 * WAIT_S):
            await harm(plant, acts)
            await acts.once_more()
            await acts.until_seen()
    except TimeoutError:
        pass
    return Found([*plant.hit], await acts.problems())


async def _freeze(plant: Plant, acts: Acts) -> None:
    for point, load in FROZEN.items():
        async with asyncio.TaskGroup() as group:
            talk = group.create_task(load(acts.web))
            async with held(plant, point, patience_s=WAIT_S):
                await talk


async def _have_die(plant: Plant, acts: Acts) -> None:
    for point in DEAD:
        async with asyncio.TaskGroup() as group:
            death = group.create_task(die_in_a_run(plant, point, patience_s=WAIT_S))
            while not death.done():
                await loads.look(acts.web)


async def _at_work(plant: Plant, acts: Acts) -> set[str]:
    found: set[str] = set()
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        slow = group.create_task(loads.collect(acts.web))
        while not slow.done():
            found |= {program for program in PROGRAMS if await plant.pids.of(program)}
            await asyncio.sleep(LOOK_S)
    return found


def test_who_goes_on_when_another_has_taken_over_does_no_harm(found: Findings) -> None:
    assert found.frozen == Found(list(FROZEN), [])


def test_what_runs_in_a_pod_dies_where_it_is_told_to_while_it_runs(found: Findings) -> None:
    assert found.dead == Found(list(DEAD), [])


def test_everything_that_is_killed_and_stopped_by_chance_is_found_while_it_runs(
    found: Findings,
) -> None:
    assert found.at_work == set(PROGRAMS)
    assert {*LIVE, *IN_RUNS} == {point.program for point in Point}
