"""A message on which the real program is killed every time."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.subjects import inbox_consumer
from tests.dead.letters import letters
from tests.dead.test_retry_command import press
from tests.fixtures.nats_server import NatsServer, free_port
from tests.router.routed import World, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def router_that_dies(
    world: World, nats: NatsServer, point: str
) -> asyncio.subprocess.Process:
    """Start the router's program, which is killed whenever it comes to *point*."""
    endpoint = world.api.endpoint
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "SYMPOZIUM_NATS_URL": nats.url,
        "SYMPOZIUM_STORE_URL": world.store_url,
        "SYMPOZIUM_HEALTH_PORT": str(free_port()),
        "SYMPOZIUM_KUBE_URL": endpoint.url,
        "SYMPOZIUM_KUBE_CA": str(endpoint.ca_file),
        "SYMPOZIUM_KUBE_TOKEN": str(endpoint.token_file),
        "SYMPOZIUM_CRASH_AT": point,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sympozium_router", env=environ
    )


async def live_and_die(world: World, nats: NatsServer, message_id: str, point: str) -> bool:
    """Run a router until it is killed or a message has its end; return whether it was killed."""
    process = await router_that_dies(world, nats, point)
    async with asyncio.TaskGroup() as group:
        dying = group.create_task(process.wait())
        told = group.create_task(world.shown.end_of(message_id))
        await asyncio.wait({dying, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not dying.done():
            if world.shown.ends(message_id)[0].error is not None:
                await until(lambda: letters(world.bus))
            process.terminate()
    return process.returncode == -signal.SIGKILL


async def is_settled(bus: NatsBus, sequence: int) -> bool:
    """Return whether a message of INBOX comes no more."""
    return (await bus.state(inbox_consumer("default"))).acknowledged >= sequence


@pytest.mark.timeout(90)
async def test_a_message_on_which_the_router_is_killed_every_time_ends_in_a_sentence(
    open_world: OpenWorld, nats_server: NatsServer, bus: NatsBus
) -> None:
    deaths = 0
    async with open_world() as world:
        fatal = await world.say("1", "fatal")
        while not world.shown.ends(fatal):
            deaths += await live_and_die(world, nats_server, fatal, "router.before-create")
        ((letter, _),) = await letters(bus)
        async with world.router():
            await press(world, fatal, "press")
            await world.answer(f"{fatal}~1", "at last")
            end = await world.shown.end_of(f"{fatal}~1")
            runs = (await world.kube.list(AGENT_RUNS)).items
    (sentence,) = world.shown.ends(fatal)
    assert sentence.error is not None
    assert sentence.error.code == "SetAside"
    assert (end.text, len(runs)) == ("at last", 1)
    assert MAX_ATTEMPTS - 1 <= deaths <= MAX_ATTEMPTS
    assert letter.attempts == MAX_ATTEMPTS


@pytest.mark.timeout(90)
async def test_a_message_that_kills_after_its_run_was_made_gets_its_answer_and_no_sentence(
    open_world: OpenWorld, nats_server: NatsServer, bus: NatsBus
) -> None:
    async with open_world() as world:
        message_id = await world.say("1", "hello")
        assert await live_and_die(world, nats_server, message_id, "router.after-started")
        for _ in range(MAX_ATTEMPTS - 1):
            assert await live_and_die(world, nats_server, message_id, "router.after-record")
        async with world.router():
            await until(lambda: is_settled(bus, sequence=1))
            await world.answer(message_id, "re: hello")
            end = await world.shown.end_of(message_id)
        assert await letters(bus) == []
    assert end.text == "re: hello"
