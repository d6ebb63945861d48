"""A backup of the store, or of the bus, that is older than the rest: nothing is done twice."""

import asyncio
import shutil
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import AGENT_RUNS
from sympozium.store.sql import open_store
from sympozium.testing.postgresql import PostgresqlServer
from tests.fixtures.nats_server import NatsServer
from tests.router.routed import World, a_world, until

pytestmark = pytest.mark.timeout(120)

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def runs_of(world: World) -> list[str]:
    """Return the messages that have runs, one entry a run."""
    found = (await world.kube.list(AGENT_RUNS)).items
    return sorted(run["spec"]["source"]["messageId"] for run in found)


async def test_an_older_store_starts_no_run_anew_and_answers_what_it_forgot(
    tmp_path: Path, bus: NatsBus, postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    database = postgresql_url.rpartition("/")[2]
    where = ["-h", "127.0.0.1", "-p", str(postgresql_server.port), "-U", "postgres"]
    backup = tmp_path / "sessions.dump"
    async with a_world(tmp_path, bus, postgresql_url) as world:
        async with world.router():
            first = await world.say("1", conversation="a")
            await world.answer(first, "before the backup")
            await world.shown.end_of(first)
            dump = ["--format=custom", *where, database]
            await asyncio.to_thread(postgresql_server.run, "pg_dump", *dump, to=backup)
            second = await world.say("2", conversation="b")
            await world.answer(second, "after the backup")
            await world.shown.end_of(second)
            third = await world.say("3", conversation="c")
            run = await world.run_of(third)
            await world.shown.accepted(third)
        restore = ["--clean", "--if-exists", "--single-transaction", *where, "-d", database]
        await asyncio.to_thread(restored, postgresql_server, restore, backup)
        await world.end_run(run, result="while the store was restored")
        async with open_store(postgresql_url) as store, world.router(store):
            assert (await world.shown.end_of(third)).text == "while the store was restored"
            await world.say("2", conversation="b", nats_id="again")  # by the platform
            last = await world.say("4", conversation="b")
            await world.answer(last, "and on")
            await world.shown.end_of(last)
        assert await runs_of(world) == sorted([first, second, third, last])
        for one in (first, second, third, last):
            assert len(world.shown.ends(one)) == 1


def restored(server: PostgresqlServer, options: list[str], backup: Path) -> None:
    """Restore a backup, which the user of the server may not read where it is."""
    copy = server.directory / "backup.dump"
    shutil.copy(backup, copy)
    copy.chmod(0o644)
    server.run("pg_restore", *options, str(copy))


async def test_an_older_bus_starts_no_run_anew_and_shows_the_ends_that_it_lost(
    open_world: OpenWorld, nats_server: NatsServer, bus: NatsBus, tmp_path: Path
) -> None:
    backup, streams = tmp_path / "backup", nats_server.directory / "jetstream"
    async with open_world() as world:
        async with world.router():
            first = await world.say("1", conversation="a")
            await world.answer(first, "before the backup")
            await world.shown.end_of(first)
        nats_server.kill()
        shutil.copytree(streams, backup)
        await nats_server.start()
        await until(lambda: connected(bus))
        async with world.router():
            second = await world.say("2", conversation="b")
            await world.answer(second, "after the backup")
            await world.shown.end_of(second)
            third = await world.say("3", conversation="c")
            run = await world.run_of(third)
            await world.shown.accepted(third)
        nats_server.kill()
        shutil.rmtree(streams)
        shutil.copytree(backup, streams)
        await nats_server.start()
        await until(lambda: connected(bus))
        await world.end_run(run, result="while the bus was restored")
        async with world.router():
            await world.shown.end_of(third)
            await world.shown.until(lambda shown: len(shown.ends(second)) == 2)
            await world.say("2", conversation="b")  # by the platform
            last = await world.say("4", conversation="b")
            await world.answer(last, "and on")
            await world.shown.end_of(last)
        assert await runs_of(world) == sorted([first, second, third, last])
        # The bus has lost the first showing of it; a channel has its own note of it.
        assert [end.text for end in world.shown.ends(second)] == 2 * ["after the backup"]
        assert len(world.shown.ends(third)) == len(world.shown.ends(last)) == 1


async def connected(bus: NatsBus) -> bool:
    """Return whether the bus is there again."""
    return bus.is_connected
