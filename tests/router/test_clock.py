"""A router whose clock is ten minutes ahead or behind, from the start or at once."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from sympozium.contract.messages import OutboundKind
from sympozium_router.clock import utc_now
from tests.router.routed import World

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
STEP = timedelta(minutes=10)


@dataclass
class SteppedClock:
    """The real time, and what it was set ahead by."""

    step: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.step


@pytest.mark.parametrize("step", [STEP, -STEP], ids=["ahead", "behind"])
async def test_a_clock_that_is_set_by_ten_minutes_costs_nobody_an_answer(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    clock = SteppedClock()
    monkeypatch.setattr(World, "clock", lambda _: clock())
    async with open_world() as world:
        async with world.router():
            first, second = await world.say("1"), await world.say("2")
            await world.shown.accepted(second)
            clock.step = step
            third = await world.say("3")
            for message_id in (first, second, third):
                await world.answer(message_id, "hi")
                await world.shown.end_of(message_id)
        clock.step = timedelta(0)
        async with world.router():
            fourth = await world.say("4")
            await world.answer(fourth, "hi")
            await world.shown.end_of(fourth)
    ends = [one for one in world.shown.messages if one.kind is not OutboundKind.ACCEPTED]
    assert [end.message_id for end in ends] == [first, second, third, fourth]
    assert {end.text for end in ends} == {"hi"}
