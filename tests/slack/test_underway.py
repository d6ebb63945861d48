"""Work that is asked for more than once while it is being done."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.contract.errors import TransientError
from sympozium_slack.underway import Underway


@pytest.fixture
async def works() -> AsyncIterator[tuple[Underway, asyncio.Event]]:
    made, stop = Underway(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(made.work_loop(stop))
        yield made, stop
        stop.set()


async def test_the_same_work_is_done_once_for_all_who_ask(
    works: tuple[Underway, asyncio.Event],
) -> None:
    underway, _ = works
    begun = []
    gate = asyncio.Event()

    async def work() -> None:
        begun.append(1)
        await gate.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(underway.once("k", work))
        await asyncio.sleep(0)
        gate.set()
    assert begun == [1]
    await underway.once("k", work)
    assert begun == [1, 1]


async def test_what_went_wrong_is_told_to_all_who_ask(
    works: tuple[Underway, asyncio.Event],
) -> None:
    underway, _ = works

    async def work() -> None:
        raise TransientError("the bus is away")

    for _ in range(2):
        with pytest.raises(TransientError, match="the bus is away"):
            await underway.once("k", work)


async def test_work_goes_on_when_who_asked_has_left(works: tuple[Underway, asyncio.Event]) -> None:
    underway, _ = works
    gate, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await gate.wait()
        done.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await underway.once("k", work)
    gate.set()
    await done.wait()


async def test_nothing_new_is_begun_when_the_program_stops(
    works: tuple[Underway, asyncio.Event],
) -> None:
    underway, stop = works

    async def work() -> None:
        raise AssertionError

    stop.set()
    await asyncio.sleep(0)
    with pytest.raises(TransientError):
        await underway.once("k", work)
