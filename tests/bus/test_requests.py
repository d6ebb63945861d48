import asyncio

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import ConsumerState, NoAnswerError
from sympozium.contract.subjects import inbox, inbox_consumer

LINE = inbox_consumer("default")


async def test_a_slow_answer_does_not_hold_the_others(bus: NatsBus) -> None:
    release = asyncio.Event()

    async def respond(subject: str, data: bytes) -> bytes:
        if data == b"slow":
            await release.wait()
        else:
            release.set()
        return data

    async with bus.respond("ask", respond, group="g"), asyncio.TaskGroup() as group:
        slow = group.create_task(bus.request("ask", b"slow", timeout_s=5))
        quick = group.create_task(bus.request("ask", b"quick", timeout_s=5))
    assert (slow.result(), quick.result()) == (b"slow", b"quick")


async def test_a_question_that_went_to_a_dead_program_is_answered_by_the_one_beside_it(
    bus: NatsBus,
) -> None:
    async def respond(_subject: str, data: bytes) -> bytes:
        return data

    dead = await bus.client.subscribe("ask", queue="g")  # in the group, and never answers
    async with bus.respond("ask", respond, group="g"):
        for number in range(20):
            question = str(number).encode()
            answer = await bus.request("ask", question, timeout_s=10, again_after_s=0.02)
            assert answer == question
    assert dead.pending_msgs > 0


async def test_who_is_not_answered_in_time_is_told_so(bus: NatsBus) -> None:
    await bus.client.subscribe("ask")
    with pytest.raises(NoAnswerError, match="'ask': TimeoutError"):
        await bus.request("ask", b"hello", timeout_s=0.2, again_after_s=0.05)
    with pytest.raises(NoAnswerError, match="NoRespondersError"):
        await bus.request("another", b"hello", timeout_s=10)


async def test_a_consumer_says_what_it_delivered_and_what_is_settled(bus: NatsBus) -> None:
    for number in range(3):
        await bus.publish(inbox("default", "web"), b"x", message_id=str(number))
    async with bus.consume(LINE, batch=2) as deliveries:
        await anext(deliveries)
        second = await anext(deliveries)
        await second.ack()
        await bus.client.flush()
        assert await bus.state(LINE) == ConsumerState(acknowledged=0, delivered=2)
