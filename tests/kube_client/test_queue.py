import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.errors import TransientError
from sympozium.kube.queue import WorkQueue

pytestmark = pytest.mark.looptime


async def worked(
    queue: WorkQueue[str], handle: Callable[[str], Awaitable[None]], *, for_s: float
) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.work(handle, stop, workers=4))
        await asyncio.sleep(for_s)
        stop.set()


async def test_a_key_is_never_worked_on_twice_at_once_and_its_last_change_is_seen() -> None:
    queue: WorkQueue[str] = WorkQueue()
    active, calls = 0, 0

    async def handle(key: str) -> None:
        nonlocal active, calls
        active += 1
        assert active == 1
        if calls == 0:
            queue.add("a")
            queue.add("a")
        calls += 1
        await asyncio.sleep(1)
        active -= 1

    queue.add("a")
    await worked(queue, handle, for_s=10)
    assert calls == 2


async def test_different_keys_do_not_wait_for_each_other() -> None:
    queue: WorkQueue[str] = WorkQueue()
    ended: list[str] = []

    async def handle(key: str) -> None:
        await asyncio.sleep(100 if key == "slow" else 1)
        ended.append(key)

    for key in ("slow", "b", "c"):
        queue.add(key)
    await worked(queue, handle, for_s=2)
    assert ended[:2] == ["b", "c"]


async def test_a_key_that_fails_comes_back_ever_later() -> None:
    queue: WorkQueue[str] = WorkQueue()
    times: list[float] = []

    async def handle(key: str) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) < 4:
            raise TransientError("cannot reach the server: it is away")

    queue.add("a")
    await worked(queue, handle, for_s=60)
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(times)]
    assert gaps == [0.05, 0.1, 0.2]


async def test_a_key_for_later_is_not_early() -> None:
    queue: WorkQueue[str] = WorkQueue()
    times: list[float] = []

    async def handle(key: str) -> None:
        times.append(asyncio.get_running_loop().time())

    queue.add_after("a", 7)
    await worked(queue, handle, for_s=60)
    assert times == [7]


async def test_what_is_begun_is_finished_when_the_queue_stops() -> None:
    queue: WorkQueue[str] = WorkQueue()
    ended: list[str] = []

    async def handle(key: str) -> None:
        await asyncio.sleep(5)
        ended.append(key)

    queue.add("a")
    await worked(queue, handle, for_s=1)
    assert ended == ["a"]


@given(adds=st.lists(st.sampled_from("abc"), max_size=20))
def test_every_added_key_is_worked_on_after_its_last_add(adds: list[str]) -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue()
        added, seen = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)

        async def handle(key: str) -> None:
            seen[key] = added[key]
            await asyncio.sleep(0)

        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(queue.work(handle, stop))
            for key in adds:
                added[key] += 1
                queue.add(key)
                await asyncio.sleep(0)
            for _ in range(4 * len(adds) + 4):
                await asyncio.sleep(0)
            stop.set()
        assert seen == added

    asyncio.run(scenario())


async def test_what_was_put_off_is_worked_on_at_once_when_somebody_says_so() -> None:
    queue: WorkQueue[str] = WorkQueue()
    stop, tries = asyncio.Event(), 0

    async def handle(_: str) -> None:
        nonlocal tries
        tries += 1
        raise TransientError("away")

    queue.add("a")
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.work(handle, stop))
        await asyncio.sleep(60)
        before = tries
        queue.hurry()
        await asyncio.sleep(0.001)
        assert tries == before + 1
        stop.set()


async def test_what_is_hurried_in_the_moment_in_which_it_is_due_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    stop, seen = asyncio.Event(), list[str]()

    async def handle(key: str) -> None:
        seen.append(key)

    async with asyncio.TaskGroup() as group:
        group.create_task(queue.work(handle, stop))
        await asyncio.sleep(0)
        queue.add_after("a", 5)
        asyncio.get_running_loop().call_later(5, queue.hurry)
        await asyncio.sleep(10)
        queue.add("b")
        await asyncio.sleep(1)
        stop.set()
    assert seen == ["a", "b"]
