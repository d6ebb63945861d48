"""Who alone may poll: what happens when the claim cannot be prolonged, or is somebody else's.

On a simulated clock, on which nobody is ever late: a claim lasts for three seconds.
"""

import asyncio
from typing import cast

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import NoAnswerError
from sympozium.chat.desk import Desk
from sympozium.testing.channels.desk import MemoryDesk
from sympozium_telegram.lease import HELD_FOR_S, Lease, LeaseLostError
from tests.chat.direct_line import DirectLine

NAMES = ("default", "ops")


@pytest.fixture
def line() -> DirectLine:
    """A line to a desk that keeps claims."""
    return DirectLine(MemoryDesk(cast(NatsBus, None)))  # of which only files would be read


def lease(line: DirectLine, pod_name: str = "") -> Lease:
    """Return the claim of a program that has none yet."""
    return Lease(Desk(line, *NAMES), pod_name)


@pytest.mark.looptime
async def test_a_claim_has_one_holder_at_a_time(line: DirectLine) -> None:
    one, other = lease(line), lease(line)
    assert await one.take()
    assert not await other.take()

    async def work() -> None:
        assert not await other.take()

    await one.while_held(work)
    assert await other.take()


@pytest.mark.looptime
async def test_who_is_started_anew_in_the_same_pod_does_not_wait_for_its_predecessor(
    line: DirectLine,
) -> None:
    dead, other = lease(line, "pod-a"), lease(line, "pod-b")
    assert await dead.take()
    assert not await other.take()
    again = lease(line, "pod-a")
    assert await again.take()
    assert not await other.take()


@pytest.mark.looptime
async def test_a_claim_is_held_for_longer_than_it_lasts(line: DirectLine) -> None:
    one, other = lease(line), lease(line)
    assert await one.take()

    async def work() -> None:
        await asyncio.sleep(1.2 * HELD_FOR_S)
        assert not await other.take()

    await one.while_held(work)


@pytest.mark.looptime
async def test_work_ends_before_a_claim_that_cannot_be_prolonged(line: DirectLine) -> None:
    loop = asyncio.get_running_loop()
    ended_at = 0.0

    async def work() -> None:
        nonlocal ended_at
        try:
            await asyncio.Event().wait()
        finally:
            ended_at = loop.time()

    ours = lease(line)
    taken_at = loop.time()
    assert await ours.take()
    line.is_cut = True
    with pytest.raises(LeaseLostError):
        await ours.while_held(work)
    assert 0.0 < ended_at < taken_at + HELD_FOR_S


async def test_nothing_is_claimed_from_a_router_that_is_away(bus: NatsBus) -> None:
    with pytest.raises(NoAnswerError):
        await Lease(Desk(bus, *NAMES)).take()
