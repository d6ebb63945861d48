import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from sympozium.contract.resources import Object
from sympozium_local.kubelet.room import START_PATIENCE_S, Need, Room, need_of

pytestmark = pytest.mark.looptime


def need(cpu: str, pods: int = 1) -> Need:
    return Need(Decimal(cpu), Decimal(0), pods)


def room(cpu: str = "2", *, starts: int = 2) -> Room:
    return Room(Need(Decimal(cpu), Decimal(1 << 30), 10), starts=starts)


async def stay(place: Room, what: Need, order: list[str], name: str, *, for_s: float) -> None:
    async with place.held(what):
        order.append(name)
        await asyncio.sleep(for_s)


async def test_what_does_not_fit_waits_and_is_let_in_in_the_order_of_asking() -> None:
    place, order = room(), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(stay(place, need("1.5"), order, "first", for_s=10))
        await asyncio.sleep(1)
        group.create_task(stay(place, need("1"), order, "large", for_s=1))
        await asyncio.sleep(1)
        group.create_task(stay(place, need("0.1"), order, "small", for_s=1))
        await asyncio.sleep(1)
        assert order == ["first"], "a small one does not overtake a large one for ever"
    assert order == ["first", "large", "small"]


async def test_a_pod_that_asks_for_more_than_the_machine_runs_alone() -> None:
    place, order = room(), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(stay(place, need("64"), order, "giant", for_s=5))
        await asyncio.sleep(1)
        group.create_task(stay(place, need("0.1"), order, "other", for_s=1))
        await asyncio.sleep(1)
        assert order == ["giant"]
    assert order == ["giant", "other"]


async def test_a_pod_for_which_there_will_never_be_room_keeps_nobody_waiting() -> None:
    place, order = room(), list[str]()
    async with asyncio.TaskGroup() as group:
        staying = replace(need("0.1"), stays=True)
        web = group.create_task(stay(place, staying, order, "web", for_s=1000))
        await asyncio.sleep(1)
        group.create_task(stay(place, need("2"), order, "giant", for_s=1))
        await asyncio.sleep(1)
        await stay(place, need("1.9"), order, "run", for_s=1)
        assert order == ["web", "run"]
        web.cancel()
    assert order == ["web", "run", "giant"]


async def test_a_long_wait_is_told_until_it_is_over_and_a_short_one_is_not() -> None:
    place, order, told = room(), list[str](), list[bool]()

    async def wait(for_s: float) -> None:
        async with place.held(need("2"), told.append):
            await asyncio.sleep(for_s)

    async with asyncio.TaskGroup() as group:
        group.create_task(stay(place, need("2"), order, "first", for_s=1))
        group.create_task(wait(5))  # for a second
        await asyncio.sleep(2)
        assert told == []
        group.create_task(wait(1))  # for four seconds
        await asyncio.sleep(3)
        assert told == [True]
    assert told == [True, False]


async def test_whoever_stops_waiting_leaves_no_gap_behind() -> None:
    place, order = room(), list[str]()
    async with asyncio.TaskGroup() as group:
        group.create_task(stay(place, need("2"), order, "first", for_s=5))
        await asyncio.sleep(1)
        gone = group.create_task(stay(place, need("2"), order, "gone", for_s=5))
        await asyncio.sleep(1)
        gone.cancel()
        group.create_task(stay(place, need("2"), order, "next", for_s=1))
    assert order == ["first", "next"]


async def test_a_start_that_takes_too_long_no_longer_keeps_others_from_starting(
    looptime: float,
) -> None:
    place = room(starts=1)
    slow = await place.start_slot()
    following = await place.start_slot()
    assert looptime == START_PATIENCE_S
    slow.release()
    following.release()
    (await place.start_slot()).release()
    assert looptime == START_PATIENCE_S


def test_a_pod_needs_what_its_containers_and_sidecars_ask_for_together() -> None:
    def container(cpu: str, **more: str) -> Object:
        return {"resources": {"requests": {"cpu": cpu, "memory": "1Mi"}}, **more}

    spec = {
        "containers": [container("50m"), {}],
        "initContainers": [container("10m", restartPolicy="Always"), container("4")],
    }
    what = Need(Decimal("0.06"), Decimal(2 << 20), 1)
    assert need_of({"spec": {**spec, "restartPolicy": "Never"}}) == what
    assert need_of({"spec": spec}) == replace(what, stays=True)
