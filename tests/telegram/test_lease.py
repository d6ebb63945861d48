"""Who alone may poll: what happens when the claim cannot be prolonged, or is somebody else's."""

import asyncio

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import NoAnswerError
from sympozium.chat.desk import Desk
from sympozium.testing.channels.desk import memory_desk
from sympozium_telegram.lease import HELD_FOR_S, Lease, LeaseLostError

NAMES = ("default", "ops")


async def test_a_claim_has_one_holder_at_a_time(bus: NatsBus) -> None:
    async with memory_desk(bus, *NAMES):
        one, other = Lease(Desk(bus, *NAMES)), Lease(Desk(bus, *NAMES))
        assert await one.take()
        assert not await other.take()

        async def work() -> None:
            assert not await other.take()

        await one.while_held(work)
        assert await other.take()


async def test_who_is_started_anew_in_the_same_pod_does_not_wait_for_its_predecessor(
    bus: NatsBus,
) -> None:
    async with memory_desk(bus, *NAMES):
        dead, other = Lease(Desk(bus, *NAMES), "pod-a"), Lease(Desk(bus, *NAMES), "pod-b")
        assert await dead.take()
        assert not await other.take()
        again = Lease(Desk(bus, *NAMES), "pod-a")
        assert await again.take()
        assert not await other.take()


async def test_a_claim_is_held_for_longer_than_it_lasts(bus: NatsBus) -> None:
    async with memory_desk(bus, *NAMES):
        one, other = Lease(Desk(bus, *NAMES)), Lease(Desk(bus, *NAMES))
        assert await one.take()

        async def work() -> None:
            await asyncio.sleep(1.2 * HELD_FOR_S)
            assert not await other.take()

        await one.while_held(work)


async def test_work_ends_before_a_claim_that_cannot_be_prolonged(bus: NatsBus) -> None:
    loop = asyncio.get_running_loop()
    ended_at = 0.0

    async def work() -> None:
        nonlocal ended_at
        try:
            await asyncio.Event().wait()
        finally:
            ended_at = loop.time()

    lease = Lease(Desk(bus, *NAMES))
    async with memory_desk(bus, *NAMES):
        taken_at = loop.time()
        assert await lease.take()
    with pytest.raises(LeaseLostError):
        await lease.while_held(work)
    assert ended_at < taken_at + HELD_FOR_S


async def test_nothing_is_claimed_from_a_router_that_is_away(bus: NatsBus) -> None:
    with pytest.raises(NoAnswerError):
        await Lease(Desk(bus, *NAMES)).take()
