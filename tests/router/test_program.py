import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from sympozium.contract.errors import PermanentError
from sympozium.kube.endpoint import Endpoint
from sympozium.runtime.health import Health
from sympozium.runtime.settings import SettingsError
from sympozium_router.clock import utc_now
from sympozium_router.settings import read_settings
from sympozium_router.upkeep import Pruning
from tests.fixtures.nats_server import NatsServer
from tests.router.routed import World, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]

NATS = {"SYMPOZIUM_NATS_URL": "nats://127.0.0.1:4222"}


def test_every_wrong_setting_is_named_at_once() -> None:
    wrong = {"SYMPOZIUM_HEALTH_PORT": "http", "SYMPOZIUM_KEEP_DAYS": "1"}
    with pytest.raises(SettingsError) as caught:
        read_settings(wrong)
    for name in (*wrong, *NATS):
        assert name in str(caught.value)


def test_a_token_for_the_bus_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = read_settings({**NATS, "SYMPOZIUM_NATS_TOKEN_FILE": str(file)})
    assert settings.nats_token is not None
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        assert settings.nats_token() == token
    assert read_settings(NATS).nats_token is None


def test_another_api_server_can_be_named() -> None:
    named = read_settings({**NATS, "SYMPOZIUM_KUBE_URL": "https://127.0.0.1:6443/"})
    assert named.endpoint() == Endpoint("https://127.0.0.1:6443")


async def test_it_is_alive_before_it_is_ready() -> None:
    health = Health()
    async with health.served(0) as port, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/livez") as response:
            assert response.status == 200
        async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
            assert response.status == 503
            assert (await response.json())["reason"] == "it is starting"


async def test_a_port_that_is_taken_is_named() -> None:
    async with Health().served(0) as port:
        with pytest.raises(PermanentError, match=rf"port {port} for the kubelet"):
            async with Health().served(port):
                pass


async def test_it_is_not_ready_while_the_bus_is_away(
    open_world: OpenWorld, nats_server: NatsServer
) -> None:
    async with open_world() as world, world.router() as health:
        nats_server.kill()
        await until(health.missing)
        assert await health.missing() == "the bus is away"
        await nats_server.start()

        async def is_back() -> bool:
            return not await health.missing()

        await until(is_back)


async def test_pruning_takes_everything_that_is_old_enough(open_world: OpenWorld) -> None:
    async with open_world() as world:
        world.now = utc_now() - timedelta(days=91)
        async with world.router(), asyncio.TaskGroup() as group:
            agents = group.create_task(world.answer_every_run())
            ids = [await world.say(str(n)) for n in range(3)]
            await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in ids))
            agents.cancel()
            assert len(await world.transcript()) == 6
        pruning = Pruning(world.bus, world.store, timedelta(days=90), utc_now)
        assert await pruning.prune(asyncio.Event()) == 3
        assert await world.store.open_conversations() == []
        assert await pruning.prune(asyncio.Event()) == 0


async def test_a_transcript_of_huge_texts_fits_one_message_of_the_bus(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router(), asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        ids = [await world.say(str(n), "x" * 60_000) for n in range(12)]
        await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in ids))
        agents.cancel()
        entries = await world.transcript()
    assert 10 < len(entries) < 24
    assert entries[-1].id == f"{ids[-1]}/reply"
