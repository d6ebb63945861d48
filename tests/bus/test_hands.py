"""What is held is not delivered to another; what a killed or stopped program held is."""

import asyncio
import contextlib
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
from sympozium.contract.subjects import INBOX, INBOX_CONSUMER, Consumer, inbox
from tests.fixtures.nats_server import NatsServer

SUBJECT = inbox("default", "web")
SHORT_S = 0.6
WAIT_S = 15.0


async def publish(bus: NatsBus, *ids: str) -> None:
    for one in ids:
        await bus.publish(SUBJECT, one.encode(), message_id=one)


async def short_consumer(bus: NatsBus, name: str, subject: str = SUBJECT) -> Consumer:
    consumer = replace(INBOX_CONSUMER, name=name, subject=subject, ack_wait_s=SHORT_S)
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


async def taken(bus: NatsBus, count: int) -> list[tuple[int, int]]:
    """Return (sequence, attempt) of the next *count* deliveries, which are acknowledged."""
    found = []
    async with asyncio.timeout(WAIT_S), bus.consume(INBOX_CONSUMER) as deliveries:
        async for delivery in deliveries:
            found.append((delivery.sequence, delivery.attempt))
            await delivery.ack()
            if len(found) == count:
                break
        await bus.client.flush()
    return found


async def test_what_is_held_longer_than_the_time_to_redelivery_comes_to_nobody_else(
    bus: NatsBus,
) -> None:
    held_in, other = await short_consumer(bus, "held"), await short_consumer(bus, "other")
    await publish(bus, "1")
    async with bus.consume(held_in) as ours, bus.consume(held_in) as theirs:
        held = await anext(ours)
        async with bus.consume(other) as barrier:
            for attempt in range(1, 5):  # comes again each time its time is over
                assert (await anext(barrier)).attempt == attempt
        await held.ack()
        await publish(bus, "2")
        readers = (ours, theirs)
        async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as group:
            waiting = {group.create_task(_next(one)) for one in readers}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting - done:
                task.cancel()
        assert [task.result() for task in done] == [(2, 1)]


async def test_what_nobody_holds_any_more_comes_again(bus: NatsBus) -> None:
    consumer = await short_consumer(bus, "forgetful")
    await publish(bus, "1")
    async with asyncio.timeout(WAIT_S), bus.consume(consumer) as deliveries:
        assert (await anext(deliveries)).attempt == 1
        assert (await anext(deliveries)).attempt == 2


async def test_an_error_of_whoever_reads_is_raised_as_it_is(bus: NatsBus) -> None:
    problem = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as raised:
        async with bus.consume(INBOX_CONSUMER):
            raise problem
    assert raised.value is problem


async def test_what_a_killed_program_held_comes_to_the_one_beside_it(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    async with reader(nats_server) as process:
        await publish(bus, "1", "2", "3")
        assert [await said(process) for _ in range(3)] == ["1", "2", "3"]
        process.kill()
        assert sorted(await taken(bus, 3)) == [(1, 2), (2, 2), (3, 2)]


async def test_what_a_stopped_program_is_given_comes_to_the_one_beside_it(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    async with reader(nats_server) as process:
        await publish(bus, "1")
        assert await said(process) == "1"
        os.kill(process.pid, signal.SIGSTOP)
        await publish(bus, "2", "3")  # its request stands, so they are given to it
        assert {sequence for sequence, _ in await taken(bus, 3)} == {1, 2, 3}


async def test_a_late_acknowledgement_takes_nothing_from_whoever_has_it_now(
    bus: NatsBus, nats_server: NatsServer
) -> None:
    async with reader(nats_server) as process:
        await publish(bus, "1")
        assert await said(process) == "1"
        os.kill(process.pid, signal.SIGSTOP)
        async with asyncio.timeout(WAIT_S), bus.consume(INBOX_CONSUMER) as deliveries:
            again = await anext(deliveries)
            assert (again.sequence, again.attempt) == (1, 2)
            os.kill(process.pid, signal.SIGCONT)
            assert process.stdin is not None
            process.stdin.write(b"\n")
            while await said(process) != "acknowledged":
                pass
            await again.ack()
            await bus.client.flush()
            await publish(bus, "2")
            state = await bus.state(INBOX_CONSUMER)
            assert state.acknowledged == 1
        assert (await bus.at(INBOX, 1)) is not None


async def _next(deliveries: AsyncIterator[Delivery]) -> tuple[int, int]:
    delivery = await anext(deliveries)
    return delivery.sequence, delivery.attempt
