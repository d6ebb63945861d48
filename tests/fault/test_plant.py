"""Whoever stops between two effects until another has taken over does no harm when it goes on.

And what runs in the pod of a run dies at a point of its own, in a pod that was there before
anybody asked for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import pytest

from sympozium.runtime.sync_points import Point
from sympozium.testing.postgresql import postgresql_programs
from tests.fault import loads
from tests.fault.acts import Acts
from tests.fault.faults.network import Refuse, Reset, Slow
from tests.fault.faults.pauses import Pause, held
from tests.fault.faults.processes import die_in_a_run
from tests.fault.laboratory import own_system
from tests.fault.loads import Crowd
from tests.fault.pids import IN_RUNS, PROGRAMS, STORE
from tests.fault.plant import LIVE, PAIRS, STORE_PAIR, Plant, planted
from tests.fault.seeded import acting
from tests.fixtures.embedded_system import EmbeddedSystem
from tests.fixtures.tcp_proxy import Way

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

DETOURS = ("people-web", "node-api", "api-webhook")
"""Pairs of which one side is not told where the other one is: people, the node, the API server."""

BRIEFLY_S, DELAY_S = 1.0, 0.3

STOPPED = (Point.BRIDGE_BEFORE_END, Point.AGENT_BEFORE_END)
STOPPED_S = 3.0

DEAD = (Point.BRIDGE_AFTER_END, Point.AGENT_BEFORE_END, Point.TOOL_BEFORE_ANSWER)


@dataclass(frozen=True)
class Found:
    """At which points somebody was, and which promises were not kept."""

    hit: list[Point]
    problems: list[str]


@dataclass(frozen=True)
class Findings:
    """What came of those who stopped, who died in the pods of runs, and of broken pairs.

    Attributes:
        pairs: Who talks by way of a proxy.
        unused: Pairs that said nothing to each other by way of their proxy.
        at_work: Programs of which processes were found while a run was at work.
    """

    frozen: Found
    stopped: Found
    dead: Found
    cut: Found
    pairs: set[str]
    unused: list[str]
    at_work: set[str]


@pytest.fixture(scope="module")
def found() -> Iterator[Findings]:
    """What was found in one system, one after the other."""
    with own_system() as (system, model_port):
        yield asyncio.run(_all(system, model_port))


async def _all(system: EmbeddedSystem, model_port: int) -> Findings:
    async with (
        planted(system, model_port, seed="plant", postgresql=postgresql_programs()) as plant,
        acting(plant, system, model_port, "plant") as acts,
    ):
        frozen = await _after(_freeze, plant, acts)
        stopped = await _after(_have_stop, plant, acts)
        dead = await _after(_have_die, plant, acts)
        cut = await _after(_cut, plant, acts)
        at_work = await _at_work(plant, acts)
        unused = [name for name, proxy in plant.pairs.items() if not proxy.passed_bytes]
        return Findings(frozen, stopped, dead, cut, set(plant.pairs), unused, at_work)


async def _after(harm: Callable[[Plant, Acts], Awaitable[None]], plant: Plant, acts: Acts) -> Found:
    plant.hit.clear()
    try:
        async with asyncio.timeout(2 * WAIT_S):
            await harm(plant, acts)
            await acts.once_more()
            await acts.until_seen()
    except TimeoutError:
        return Found([*plant.hit], [*await acts.problems(), "it did not get through"])
    return Found([*plant.hit], await acts.problems())


async def _freeze(plant: Plant, acts: Acts) -> None:
    for point, load in FROZEN.items():
        async with asyncio.TaskGroup() as group:
            talk = group.create_task(load(acts.web))
            async with held(plant, point, patience_s=WAIT_S):
                await talk


async def _have_stop(plant: Plant, acts: Acts) -> None:
    for point in STOPPED:
        async with asyncio.TaskGroup() as group:
            group.create_task(Pause(point, STOPPED_S).inject(plant))
            while point not in plant.hit:
                await loads.look(acts.web)


async def _have_die(plant: Plant, acts: Acts) -> None:
    for point in DEAD:
        async with asyncio.TaskGroup() as group:
            death = group.create_task(die_in_a_run(plant, point, patience_s=WAIT_S))
            while not death.done():
                await loads.look(acts.web)


async def _cut(plant: Plant, acts: Acts) -> None:
    for pair in DETOURS:
        for fault in (Refuse(pair, BRIEFLY_S), Reset(pair), Slow(pair, DELAY_S, BRIEFLY_S)):
            async with asyncio.TaskGroup() as group:
                group.create_task(fault.inject(plant))
                group.create_task(loads.look(acts.web))
    await _lose_an_answer(plant, acts.web)


async def _lose_an_answer(plant: Plant, crowd: Crowd) -> None:
    """Break the connection of somebody whose message is stored before they are told so."""
    token = crowd.token()
    await crowd.script(loads.answers(token))
    async with plant.pair("people-web") as proxy, asyncio.TaskGroup() as group:
        proxy.hold(Way.BACK)
        group.create_task(crowd.say(crowd.conversation("unheard"), token))
        while not crowd.observer.stored(token):
            await crowd.observer.changed()
        proxy.reset()
        proxy.mend()
    await crowd.ended()


async def _at_work(plant: Plant, acts: Acts) -> set[str]:
    found: set[str] = set()
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
        slow = group.create_task(loads.collect(acts.web))
        while not slow.done():
            found |= {program for program in PROGRAMS if await plant.pids.of(program)}
            await asyncio.sleep(LOOK_S)
    return found


def _missing(what: str) -> set[str]:
    """Return what there is on machines that have a PostgreSQL server, where this one has none."""
    return set() if postgresql_programs() else {what}


def test_who_goes_on_when_another_has_taken_over_does_no_harm(found: Findings) -> None:
    assert found.frozen == Found(list(FROZEN), [])


def test_what_runs_in_a_pod_stops_where_it_is_told_to_and_goes_on(found: Findings) -> None:
    assert found.stopped == Found(list(STOPPED), [])


def test_what_runs_in_a_pod_dies_where_it_is_told_to_while_it_runs(found: Findings) -> None:
    assert found.dead == Found(list(DEAD), [])


def test_who_is_cut_off_asks_again_and_is_answered_once(found: Findings) -> None:
    assert found.cut == Found([], [])


def test_every_pair_talks_by_way_of_its_proxy(found: Findings) -> None:
    assert found.unused == []
    assert found.pairs == set(PAIRS) - _missing(STORE_PAIR)


def test_everything_that_is_killed_and_stopped_by_chance_is_found_while_it_runs(
    found: Findings,
) -> None:
    assert found.at_work == set(PROGRAMS) - _missing(STORE)
    assert {*LIVE, *IN_RUNS} == {point.program for point in Point}
