"""What is held is not delivered to another; what a killed or stopped program held is."""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Delivery
from sympozium.contract.subjects import INBOX, Consumer, inbox, inbox_consumer
from tests.fixtures.nats_server import NatsServer

SUBJECT = inbox("default", "web")
SHORT_S = 0.6
WAIT_S = 15.0
LINE = inbox_consumer("default")


async def publish(bus: NatsBus, *ids: str) -> None:
    for one in ids:
        await bus.publish(SUBJECT, one.encode(), message_id=one)


async def short_consumer(bus: NatsBus, name: str, subject: str = SUBJECT) -> Consumer:
    consumer = replace(LINE, name=name, subject=subject, ack_wait_s=SHORT_S)
    await ensure_consumer(bus.client, consumer)
    return consumer


@asynccontextmanager
async def reader(server: NatsServer) -> AsyncIterator[Process]:
    """Run a program that holds what it gets."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bus.reader", server.url), stdin=PIPE, stdout=PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def said(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        return (await process.stdout.readline()).decode().strip()


async def taken(bus: NatsBus, count: int) -> dict[int, int]:
    """Take *count* different messages; return at which attempt each came, by its sequence."""
    found: dict[int, int] = {}
    async with asyncio.timeout(WAIT_S), bus.consume(LINE) as deliveries:
        while len(found) < count:
            delivery = await anext(deliveries)
            found.setdefault(delivery.sequence, delivery.attempt)
            await delivery.ack()
        await bus.client.flush()
    return found


async def test_what_is_held_longer_than_the_time_to_redelivery_comes_to_nobody_else(
    bus: NatsBus,
) -> None:
    for number in itertools.count():
        longest_pause_s, following = await held_for_long(bus, str(number))
        if following == b"following" or longest_pause_s < SHORT_S / 2:
            break  # else whoever held it did not say so in time
    assert following == b"following"


async def held_for_long(bus: NatsBus, name: str) -> tuple[float, bytes]:
    """Hold a message for several times its time to redelivery.

    Returns:
        For how long this program or the server stood still at the most, and what came
        next to one of two readers.
    """
    subject = inbox("default", name)
    held_in = await short_consumer(bus, f"held-{name}", subject)
    other = await short_consumer(bus, f"other-{name}", subject)
    await bus.publish(subject, b"held", message_id=f"{name}-held")
    async with (
        bus.consume(held_in) as ours,
        bus.consume(held_in) as theirs,
        asyncio.timeout(WAIT_S),
        asyncio.TaskGroup() as group,
    ):
        held = await anext(ours)
        waiting = {group.create_task(_next(one)) for one in (ours, theirs)}
        async with standing_still(bus, held_in) as pauses_s, bus.consume(other) as barrier:
            while (await anext(barrier)).attempt < 4:  # comes again each time its time is over
                pass
        await held.ack()
        await bus.publish(subject, b"following", message_id=f"{name}-following")
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting - done:
            task.cancel()
    return max(pauses_s), done.pop().result()


@asynccontextmanager
async def standing_still(bus: NatsBus, consumer: Consumer) -> AsyncIterator[list[float]]:
    """Yield a list of the times between two answers of the server, as it asks again and again."""
    loop = asyncio.get_running_loop()
    pauses_s, last = list[float](), loop.time()

    def look() -> None:
        nonlocal last
        now = loop.time()
        pauses_s.append(now - last)
        last = now

    async def ask() -> None:
        while True:
            await bus.state(consumer)
            look()
            await asyncio.sleep(SHORT_S / 20)

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        yield pauses_s
        asking.cancel()
        look()


async def test_what_nobody_holds_any_more_comes_again(bus: NatsBus) -> None:
    consumer = await short_consumer(bus, "forgetful")
    await publish(bus, "1")
    async with asyncio.timeout(WAIT_S), bus.consume(consumer) as deliveries:
        assert (await anext(deliveries)).attempt == 1
        assert (await anext(deliveries)).attempt == 2


async def test_an_error_of_whoever_reads_is_raised_as_it_is(bus: NatsBus) -> None:
    problem = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as raised:
        async with bus.consume(LINE):
            raise problem
    assert raised.value is problem


async def test_what_a_killed_program_held_comes_to_the_one_beside_it(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    async with reader(nats_server) as process:
        await publish(bus, "1", "2", "3")
        assert [await said(process) for _ in range(3)] == ["1", "2", "3"]
        process.kill()
        attempts = await taken(bus, 3)
        assert sorted(attempts) == [1, 2, 3]
        assert min(attempts.values()) > 1


async def test_what_a_stopped_program_is_given_comes_to_the_one_beside_it(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    async with reader(nats_server) as process:
        await publish(bus, "1")
        assert await said(process) == "1"
        os.kill(process.pid, signal.SIGSTOP)
        await publish(bus, "2", "3")  # its request stands, so they are given to it
        assert sorted(await taken(bus, 3)) == [1, 2, 3]


async def test_a_late_acknowledgement_takes_nothing_from_whoever_has_it_now(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    async with reader(nats_server) as process:
        await publish(bus, "1")
        assert await said(process) == "1"
        os.kill(process.pid, signal.SIGSTOP)
        async with asyncio.timeout(WAIT_S), bus.consume(LINE) as deliveries:
            again = await anext(deliveries)
            assert again.sequence == 1
            assert again.attempt > 1  # the stopped one may have been given it once more
            os.kill(process.pid, signal.SIGCONT)
            assert process.stdin is not None
            process.stdin.write(b"\n")
            while await said(process) != "acknowledged":
                pass
            await again.ack()
            await bus.client.flush()
            await publish(bus, "2")
            state = await bus.state(LINE)
            assert state.acknowledged == 1
        assert (await bus.at(INBOX, 1)) is not None


async def _next(deliveries: AsyncIterator[Delivery]) -> bytes:
    return (await anext(deliveries)).data
