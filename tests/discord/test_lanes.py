"""Events are dealt with in order within a channel, and no channel waits for another."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium_discord.gateway import Dispatch
from sympozium_discord.lanes import Lanes


def event(sequence: int, channel: str) -> Dispatch:
    return Dispatch("MESSAGE_CREATE", {"channel_id": channel}, sequence)


@dataclass
class Hand:
    """Deals with events when it is told to."""

    done: list[int] = field(default_factory=list)
    gates: dict[int, asyncio.Event] = field(default_factory=dict)
    shown: list[int] = field(default_factory=list)

    async def deal_with(self, one: Dispatch) -> None:
        if one.sequence in self.gates:
            await self.gates[one.sequence].wait()
        self.done.append(one.sequence)

    async def show(self, one: Dispatch) -> None:
        self.shown.append(one.sequence)

    def hold(self, sequence: int) -> asyncio.Event:
        return self.gates.setdefault(sequence, asyncio.Event())


@asynccontextmanager
async def made(hand: Hand) -> AsyncIterator[Lanes]:
    async with asyncio.TaskGroup() as group:
        lanes = Lanes(hand.deal_with, hand.show, group, lambda: None)
        yield lanes
        await lanes.finish(within_s=0.0)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.looptime
async def test_what_waits_long_behind_another_is_shown_to_wait_once() -> None:
    hand = Hand()
    gate = hand.hold(1)
    async with made(hand) as lanes:
        for one in (event(1, "slow"), event(2, "slow"), event(3, "fast"), event(4, "fast")):
            await lanes.put(one)
        await asyncio.sleep(60.0)
        assert (hand.done, hand.shown) == ([3, 4], [2])
        gate.set()
        await asyncio.sleep(60.0)
        assert (hand.done, hand.shown) == ([3, 4, 1, 2], [2])


async def test_a_channel_that_takes_long_holds_nobody_else() -> None:
    hand = Hand()
    gate = hand.hold(1)
    async with made(hand) as lanes:
        for one in (event(1, "slow"), event(2, "fast"), event(3, "slow"), event(4, "fast")):
            await lanes.put(one)
        await settled()
        assert (hand.done, lanes.position) == ([2, 4], 0)
        gate.set()
        await settled()
        assert (hand.done, lanes.position, lanes.is_idle) == ([2, 4, 1, 3], 4, True)


async def test_what_comes_again_is_left_out() -> None:
    hand = Hand()
    gate = hand.hold(1)
    async with made(hand) as lanes:
        for number in (1, 2, 1, 2):
            await lanes.put(event(number, "a"))
        gate.set()
        await settled()
    assert hand.done == [1, 2]


async def test_what_is_left_of_an_old_session_does_not_move_a_new_one() -> None:
    hand = Hand()
    gate = hand.hold(7)
    async with made(hand) as lanes:
        await lanes.put(event(7, "a"))
        lanes.begin_session(1)
        await lanes.put(event(2, "b"))
        await settled()
        assert lanes.position == 2
        gate.set()
        await settled()
        assert (lanes.position, hand.done) == (2, [2, 7])


async def test_what_was_given_up_does_not_count_as_dealt_with() -> None:
    hand = Hand()
    hand.hold(2)
    async with made(hand) as lanes:
        await lanes.put(event(1, "a"))
        await lanes.put(event(2, "a"))
        assert not await lanes.finish(within_s=0.01)
        await settled()
        assert (hand.done, lanes.position) == ([1], 1)


@settings(max_examples=60)
@given(
    channels=st.lists(st.sampled_from("abc"), min_size=1, max_size=30),
    order=st.randoms(use_true_random=False),
)
async def test_in_any_order_of_completion_the_position_is_never_ahead(
    channels: list[str], order: random.Random
) -> None:
    hand = Hand()
    for number in range(1, len(channels) + 1):
        hand.hold(number)
    async with made(hand) as lanes:
        for number, channel in enumerate(channels, 1):
            await lanes.put(event(number, channel))
        numbers = list(hand.gates)
        order.shuffle(numbers)
        for number in numbers:
            hand.gates[number].set()
            await settled()
            done = set(hand.done)
            assert set(range(1, lanes.position + 1)) <= done
        assert await lanes.finish(within_s=5.0)
        assert lanes.position == len(channels)
    for channel in set(channels):
        mine = [number for number in hand.done if channels[number - 1] == channel]
        assert mine == sorted(mine)
