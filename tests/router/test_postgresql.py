"""A router over PostgreSQL: nothing is lost, doubled or left unsaid by what befalls the server."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg  # type: ignore[import-untyped] # it has no types
import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import OutboundKind
from sympozium.runtime.health import Health
from sympozium.store import postgresql
from sympozium.store.sql import open_store
from sympozium.testing.nats_server import free_port
from sympozium.testing.postgresql import PostgresqlServer
from sympozium_router.opening import when_there
from sympozium_router.settings import Settings, read_settings
from tests.fixtures.postgresql import new_database
from tests.router.routed import World, a_world, until

PAUSE_S = float(os.environ.get("SYMPOZIUM_TEST_PAUSE_S", "0"))
"""How long the server is away for at the least; 60 in the long form."""

pytestmark = pytest.mark.timeout(60 + PAUSE_S)


@asynccontextmanager
async def killed(server: PostgresqlServer, url: str) -> AsyncIterator[None]:
    """Have the server be dead for a while."""
    server.kill()
    yield
    await server.start()


@asynccontextmanager
async def paused(server: PostgresqlServer, url: str) -> AsyncIterator[None]:
    """Have the server take connections and say nothing for a while."""
    server.pause()
    yield
    server.resume()


@asynccontextmanager
async def locked(server: PostgresqlServer, url: str) -> AsyncIterator[None]:
    """Have somebody hold a lock of a table for a while."""
    operator = await asyncpg.connect(url.replace("+asyncpg", ""))
    await operator.execute("BEGIN")
    await operator.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
    yield
    await operator.close()


@asynccontextmanager
async def read_only(server: PostgresqlServer, url: str) -> AsyncIterator[None]:
    """Have the server be a standby for a while: it is read, and takes no writes."""
    operator = await asyncpg.connect(url.replace("+asyncpg", ""))
    await operator.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    await operator.execute("SELECT pg_reload_conf()")
    while not await begins_read_only(url):  # noqa: ASYNC110 - the server has no event
        await asyncio.sleep(0.01)
    yield
    await operator.execute("SET default_transaction_read_only = off")
    await operator.execute("ALTER SYSTEM RESET default_transaction_read_only")
    await operator.execute("SELECT pg_reload_conf()")
    await operator.close()


async def begins_read_only(url: str) -> bool:
    """Return whether a new connection is read-only: those that there were were told before it."""
    fresh = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return bool(await fresh.fetchval("SHOW default_transaction_read_only") == "on")
    finally:
        await fresh.close()


@pytest.mark.parametrize("harm", [killed, paused, locked, read_only])
async def test_what_is_asked_while_postgresql_is_away_is_answered_once_when_it_is_back(
    harm: object,
    tmp_path: Path,
    bus: NatsBus,
    own_postgresql: PostgresqlServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(postgresql._SETTINGS, "lock_timeout", "500ms")
    url = await new_database(own_postgresql)
    async with a_world(tmp_path, bus, url) as world, world.router() as health:
        async with answering(world):
            before = await world.say("0", conversation="c0")
            await world.shown.end_of(before)
            monkeypatch.setattr(postgresql, "STEP_TIMEOUT_S", 1.0)
            monkeypatch.setattr(postgresql, "CONNECT_TIMEOUT_S", 0.5)
            async with harm(own_postgresql, url):  # type: ignore[operator] # one of those above
                ids = [await world.say(str(n), conversation=f"c{n % 3}") for n in range(1, 7)]
                await until(health.missing)
                await asyncio.sleep(PAUSE_S)
                answered = {shown.message_id for shown in world.shown.messages}
            for id_ in ids:
                await world.shown.end_of(id_)
        assert answered == {before}
        ends = [one for one in world.shown.messages if one.kind is OutboundKind.FINAL]
        assert sorted(one.message_id for one in ends) == sorted([before, *ids])
        for talk in ("c0", "c1", "c2"):
            told = [one.message_id for one in ends if one.conversation == talk]
            assert told == [id_ for id_ in (before, *ids) if id_ in told]
        await until_ready(health)


async def test_three_routers_on_one_postgresql_answer_each_message_once_and_in_order(
    tmp_path: Path, bus: NatsBus, postgresql_url: str
) -> None:
    async with a_world(tmp_path, bus, postgresql_url) as world, AsyncExitStack() as routers:
        for _ in range(3):
            store = await routers.enter_async_context(open_store(postgresql_url))
            await routers.enter_async_context(world.router(store))
        async with answering(world):
            ids = [await world.say(str(n), f"{n}", conversation=f"c{n % 4}") for n in range(24)]
            for id_ in ids:
                await world.shown.end_of(id_)
        ends = [one for one in world.shown.messages if one.kind is OutboundKind.FINAL]
        assert sorted(one.message_id for one in ends) == sorted(ids)
        for talk in range(4):
            told = [one.message_id for one in ends if one.conversation == f"c{talk}"]
            assert told == ids[talk::4]


async def test_a_router_that_starts_before_its_store_waits_and_says_so() -> None:
    settings = settings_of(f"postgresql://me:secret@127.0.0.1:{free_port()}/db")
    stop, health = asyncio.Event(), Health()
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        opening = group.create_task(when_there(settings, stack, stop, health))

        async def is_told() -> bool:
            return "cannot open the session store" in await health.missing()

        await until(is_told)
        assert "secret" not in await health.missing()
        stop.set()
    assert opening.result() is None


async def test_a_router_ends_where_a_person_must_act_and_names_the_setting(
    postgresql_url: str,
) -> None:
    settings = settings_of(postgresql_url.replace("/test_", "/no_test_"))
    async with AsyncExitStack() as stack:
        with pytest.raises(PermanentError, match=r"does not exist.*SYMPOZIUM_STORE_URL"):
            await when_there(settings, stack, asyncio.Event(), Health())


def settings_of(store_url: str) -> Settings:
    """Return a router's settings with this store."""
    nats = {"SYMPOZIUM_NATS_URL": "nats://127.0.0.1:4222"}
    return read_settings({**nats, "SYMPOZIUM_STORE_URL": store_url})


@asynccontextmanager
async def answering(world: World) -> AsyncIterator[None]:
    """Have every run be answered until the block is left."""
    async with asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        yield
        agents.cancel()


async def until_ready(health: Health) -> None:
    """Return when nothing is missing."""

    async def is_ready() -> bool:
        return not await health.missing()

    await until(is_ready)
