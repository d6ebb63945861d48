"""What is called when: by importance, within every rate, and never during a penalty."""

import asyncio
from itertools import pairwise

import pytest

from sympozium.chat.capabilities import Rate
from sympozium.chat.errors import PlatformBusyError
from sympozium.chat.outbox.budget import Budget, Urgency

pytestmark = pytest.mark.looptime

GROUP = (Rate(1, 1.0), Rate(20, 60.0))
ALL = (Rate(30, 1.0),)


def now() -> float:
    return asyncio.get_running_loop().time()


def within(times: list[float], rate: Rate) -> bool:
    """Return whether no window of the rate's length holds more than it allows."""
    return all(
        later - earlier >= rate.per_s - 1e-6
        for earlier, later in zip(times, times[rate.count :], strict=False)
    )


async def call(
    budget: Budget,
    chat: str,
    calls: list[float],
    *,
    takes_s: float = 0.1,
    urgency: Urgency = Urgency.END,
) -> None:
    with await budget.turn(chat, urgency):
        calls.append(now())
        await asyncio.sleep(takes_s)


async def test_a_free_chat_is_called_at_once() -> None:
    budget, calls = Budget(GROUP, ALL), list[float]()
    start = now()
    await call(budget, "a", calls)
    assert calls == [start]


async def test_all_rates_of_a_chat_are_kept_and_used_up() -> None:
    budget, calls = Budget(GROUP, ()), list[float]()
    async with asyncio.TaskGroup() as group:
        for _ in range(60):
            group.create_task(call(budget, "a", calls, takes_s=0.0))
    assert all(within(calls, rate) for rate in GROUP)
    assert calls[-1] - calls[0] == pytest.approx(
        139, abs=1
    )  # 20 in 19 s, twice wait for the minute


async def test_a_slow_call_counts_until_it_has_arrived() -> None:
    budget, calls = Budget((Rate(1, 1.0),), ()), list[float]()
    start = now()
    async with asyncio.TaskGroup() as group:
        group.create_task(call(budget, "a", calls, takes_s=0.7))
        group.create_task(call(budget, "a", calls))
    assert calls == [start, pytest.approx(start + 1.7, abs=0.01)]


async def test_a_call_that_hangs_does_not_hold_its_chat() -> None:
    budget, calls = Budget((Rate(1, 1.0),), ()), list[float]()
    start = now()
    async with asyncio.TaskGroup() as group:
        group.create_task(call(budget, "a", calls, takes_s=60.0))
        group.create_task(call(budget, "a", calls))
    assert calls[1] - start == pytest.approx(4.0, abs=0.1)


async def test_chats_do_not_wait_for_each_other_below_the_overall_rate() -> None:
    budget, calls = Budget(GROUP, ALL), list[float]()
    start = now()
    async with asyncio.TaskGroup() as group:
        for chat in range(30):
            group.create_task(call(budget, str(chat), calls))
    assert calls == [start] * 30


async def test_the_overall_rate_is_kept_over_all_chats() -> None:
    budget, calls = Budget(GROUP, ALL), list[float]()
    async with asyncio.TaskGroup() as group:
        for chat in range(300):
            group.create_task(call(budget, str(chat), calls, takes_s=0.05))
    assert within(calls, ALL[0])
    assert calls[-1] - calls[0] < 11


async def test_what_ends_a_message_goes_before_what_begins_one() -> None:
    budget, order = Budget((Rate(1, 1.0),), ()), list[str]()

    async def say(name: str, urgency: Urgency) -> None:
        with await budget.turn("a", urgency):
            order.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(say("first", Urgency.START))
        await asyncio.sleep(0.1)
        group.create_task(say("placeholder", Urgency.START))
        group.create_task(say("answer", Urgency.END))
        group.create_task(say("second answer", Urgency.END))
    assert order == ["first", "answer", "second answer", "placeholder"]


async def test_under_the_overall_rate_ends_of_any_chat_go_first() -> None:
    budget, order = Budget((), (Rate(1, 1.0),)), list[str]()

    async def say(chat: str, urgency: Urgency) -> None:
        with await budget.turn(chat, urgency):
            order.append(chat)

    async with asyncio.TaskGroup() as group:
        group.create_task(say("first", Urgency.START))
        await asyncio.sleep(0.1)
        for number in range(3):
            group.create_task(say(f"begins {number}", Urgency.START))
        group.create_task(say("ends", Urgency.END))
    assert order == ["first", "ends", "begins 0", "begins 1", "begins 2"]


async def test_a_cosmetic_is_shed_where_there_is_no_room_now() -> None:
    budget = Budget((Rate(1, 1.0),), ())
    turn = budget.spare("a")
    assert turn is not None
    with turn:
        assert budget.spare("a") is None
        assert budget.spare("b") is not None
    await asyncio.sleep(1.01)
    assert budget.spare("a") is not None


async def test_a_cosmetic_is_shed_while_an_end_waits_anywhere() -> None:
    budget = Budget((), (Rate(4, 1.0),))
    async with asyncio.TaskGroup() as group:
        calls: list[float] = []
        for chat in "abcde":
            group.create_task(call(budget, chat, calls))
        await asyncio.sleep(0.01)
        assert len(calls) == 4
        assert not budget.has_room("z")
        assert budget.spare("z") is None


async def test_cosmetics_leave_room_for_what_is_more_important() -> None:
    budget, calls = Budget((Rate(20, 60.0),), ()), list[float]()
    spent = 0
    while (turn := budget.spare("a")) is not None:
        with turn:
            spent += 1
    assert spent == 15
    start = now()
    for _ in range(5):
        await call(budget, "a", calls, takes_s=0.0)
    assert calls == [start] * 5


async def test_nothing_is_called_during_a_penalty() -> None:
    budget, calls = Budget(GROUP, ALL), list[float]()
    start = now()
    with pytest.raises(PlatformBusyError), await budget.turn("a", Urgency.END):
        raise PlatformBusyError("busy", retry_after_s=30)
    assert budget.spare("a") is None
    assert budget.closed_for_s("a") == pytest.approx(30.25)
    await call(budget, "b", calls)
    await call(budget, "a", calls)
    assert calls[0] == start
    assert calls[1] >= start + 30


async def test_a_penalty_of_the_bot_closes_every_chat() -> None:
    budget, calls = Budget(GROUP, ALL), list[float]()
    start = now()
    with pytest.raises(PlatformBusyError), await budget.turn("a", Urgency.END):
        raise PlatformBusyError("busy", retry_after_s=5, is_overall=True)
    assert budget.spare("b") is None
    await call(budget, "b", calls)
    assert calls[0] >= start + 5


async def test_a_longer_penalty_is_not_cut_by_a_shorter_one() -> None:
    budget = Budget((Rate(5, 1.0),), ())
    turns = [await budget.turn("a", Urgency.END) for _ in range(2)]
    for turn, after_s in zip(turns, (60.0, 1.0), strict=True):
        with pytest.raises(PlatformBusyError), turn:
            raise PlatformBusyError("busy", retry_after_s=after_s)
    assert budget.closed_for_s("a") > 59


async def test_after_a_refusal_the_chat_goes_slower_and_recovers() -> None:
    budget, calls = Budget((Rate(1, 1.0),), ()), list[float]()
    with pytest.raises(PlatformBusyError), await budget.turn("a", Urgency.END):
        raise PlatformBusyError("busy", retry_after_s=0)
    for _ in range(15):
        await call(budget, "a", calls, takes_s=0.0)
    gaps = [later - earlier for earlier, later in pairwise(calls)]
    assert gaps[0] > 1.3
    assert [round(gap, 2) for gap in gaps] == sorted((round(gap, 2) for gap in gaps), reverse=True)
    assert gaps[-1] == pytest.approx(1.0, abs=0.01)


async def test_many_refusals_of_calls_sent_together_make_slower_once() -> None:
    budget, calls = Budget((Rate(10, 10.0),), ()), list[float]()
    turns = [await budget.turn("a", Urgency.END) for _ in range(10)]
    for turn in turns:
        with pytest.raises(PlatformBusyError), turn:
            raise PlatformBusyError("busy", retry_after_s=1)
    start = now()
    for _ in range(11):
        await call(budget, "a", calls, takes_s=0.0)
    assert calls[0] - start == pytest.approx(10.0, abs=0.1)  # what came before is not stretched
    assert 10.3 < calls[10] - calls[0] < 15.1  # a refusal is forgotten call by call


async def test_who_stops_waiting_takes_nothing_away() -> None:
    budget, calls = Budget((Rate(1, 1.0),), ()), list[float]()
    start = now()
    await call(budget, "a", calls, takes_s=0.0)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(call(budget, "a", calls))
        await asyncio.sleep(0.5)
        waiting.cancel()
        group.create_task(call(budget, "a", calls))
    assert calls == [start, pytest.approx(start + 1.0, abs=0.01)]


async def test_idle_chats_are_forgotten_and_closed_ones_are_not() -> None:
    budget, calls = Budget((Rate(1, 1.0),), ()), list[float]()
    with pytest.raises(PlatformBusyError), await budget.turn("closed", Urgency.END):
        raise PlatformBusyError("busy", retry_after_s=100_000)
    for chat in range(5000):
        await call(budget, str(chat), calls, takes_s=1.0)
    assert len(budget) < 2100
    assert budget.spare("closed") is None
