import asyncio

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import ConsumerState
from sympozium.contract.subjects import INBOX_CONSUMER, inbox


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


async def test_a_consumer_says_what_it_delivered_and_what_is_settled(bus: NatsBus) -> None:
    for number in range(3):
        await bus.publish(inbox("default", "web"), b"x", message_id=str(number))
    async with bus.consume(INBOX_CONSUMER, batch=2) as deliveries:
        await anext(deliveries)
        second = await anext(deliveries)
        await second.ack()
        await bus.client.flush()
        assert await bus.state(INBOX_CONSUMER) == ConsumerState(acknowledged=0, delivered=2)
