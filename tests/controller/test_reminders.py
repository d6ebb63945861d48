"""Being reminded: once, at the earliest time that was asked for."""

import asyncio

import pytest

from sympozium.kube.informer import Key
from sympozium.kube.queue import WorkQueue
from sympozium_controller.reminders import Reminders

KEY = ("default", "team")
PERIOD_S = 60.0


async def looks_within(seconds: float, *, asked_each_time: int) -> int:
    """Return how often something is looked at that asks for it *asked_each_time* times a look."""
    queue: WorkQueue[Key] = WorkQueue()
    reminders, stop = Reminders(queue), asyncio.Event()
    looks = 0

    async def look(key: Key) -> None:
        nonlocal looks
        looks += 1
        for _ in range(asked_each_time):
            reminders.remind(key, PERIOD_S)

    queue.add(KEY)
    asyncio.get_running_loop().call_later(seconds, stop.set)
    await queue.work(look, stop)
    return looks


@pytest.mark.looptime
async def test_what_reminds_itself_is_looked_at_once_a_period() -> None:
    assert await looks_within(10 * PERIOD_S + 1, asked_each_time=3) == 11


@pytest.mark.looptime
async def test_an_earlier_reminder_wins() -> None:
    queue: WorkQueue[Key] = WorkQueue()
    reminders, stop = Reminders(queue), asyncio.Event()
    times: list[float] = []

    async def look(_: Key) -> None:
        times.append(asyncio.get_running_loop().time())
        stop.set()

    began = asyncio.get_running_loop().time()
    reminders.remind(KEY, PERIOD_S)
    reminders.remind(KEY, 1.0)
    await queue.work(look, stop)
    assert [round(time) for time in times] == [round(began + 1)]
