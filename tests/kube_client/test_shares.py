"""How workers are shared out between those to whom keys belong."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.kube.queue import WorkQueue
from sympozium.kube.shares import Shares

WORKERS = 8

Key = tuple[str, int]


def owner(key: Key) -> str:
    return key[0]


@pytest.mark.looptime
async def test_who_fills_the_queue_leaves_workers_to_whoever_comes_next() -> None:
    queue: WorkQueue[Key] = WorkQueue(owner=owner)
    release, stop = asyncio.Event(), asyncio.Event()
    at_work: Counter[str] = Counter()

    async def handle(key: Key) -> None:
        at_work[key[0]] += 1
        if key[0] == "flood":
            await release.wait()

    for number in range(100):
        queue.add(("flood", number))
    for number in range(3):
        queue.add(("other", number))
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.work(handle, stop, workers=WORKERS))
        await asyncio.sleep(1)
        assert at_work == {"flood": WORKERS // 2, "other": 3}
        release.set()
        await asyncio.sleep(1)
        assert at_work == {"flood": 100, "other": 3}
        stop.set()


@given(
    keys=st.lists(st.sampled_from("abc"), max_size=60),
    workers=st.integers(min_value=1, max_value=12),
)
def test_every_key_gets_its_turn_and_a_newcomer_a_worker(keys: list[str], workers: int) -> None:
    shares: Shares[Key] = Shares(owner)
    waiting = [(name, number) for number, name in enumerate(keys)]
    for key in waiting:
        shares.add(key)
    taken: list[Key] = []
    active: list[Key] = []
    while len(taken) < len(waiting):
        while (found := shares.take(free=workers - len(active))) is not None:
            assert len(active) < workers
            active.append(found)
            taken.append(found)
        if workers > 2 ** len(set(keys)):
            assert len(active) < workers, "nobody else would find a worker"
        assert active, "somebody waits, and nobody works"
        shares.done(active.pop(0))
    for name in set(keys):
        assert [key for key in taken if key[0] == name] == [k for k in waiting if k[0] == name]
    assert len(shares) == 0
