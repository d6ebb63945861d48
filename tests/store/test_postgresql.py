"""What only a server can do to us: refuse us, go away, hold a lock, or be a standby."""

import asyncio
import dataclasses
import itertools
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import quote

import asyncpg  # type: ignore[import-untyped] # it has no types
import pytest

from sympozium.contract.names import ConversationId
from sympozium.store import postgresql
from sympozium.store.ports import (
    Conversation,
    End,
    Message,
    StoreDeniedError,
    StoreUnavailableError,
)
from sympozium.store.sql import SqlStore, open_store
from sympozium.testing.postgresql import PASSWORD, PostgresqlServer
from tests.fixtures.postgresql import new_database

NewMessage = Callable[..., Message]
SHIPPED = dict(postgresql._SETTINGS)
"""What connections are set to before a test changes it."""

TALK = Conversation("default", "web", ConversationId("c"))


@pytest.fixture
async def server_store(postgresql_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(postgresql_url) as opened:
        yield opened


def plain(url: str) -> str:
    """Return *url* as the driver reads it."""
    return url.replace("+asyncpg", "")


@asynccontextmanager
async def operator(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield somebody else's connection to the same database."""
    connection = await asyncpg.connect(plain(url))
    try:
        yield connection
    finally:
        await connection.close(timeout=2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ((quote(PASSWORD, safe=""), "Wr0ng"), "password authentication failed"),
        (("/test_", "/no_test_"), 'database "no_test_.*does not exist'),
        (("postgres:", "nobody:"), "password authentication failed"),
        (("@", "?"), "user, host or database name is missing"),
    ],
)
async def test_what_is_wrong_with_a_url_is_said_without_the_password(
    postgresql_url: str, change: tuple[str, str], says: str
) -> None:
    url = postgresql_url.replace(*change, 1)
    with pytest.raises(Exception, match=says) as caught:
        async with open_store(url):
            pass
    told = as_logged(caught.value)
    assert not any(secret in told for secret in (PASSWORD, quote(PASSWORD, safe=""), "Wr0ng"))


async def test_a_server_that_is_too_old_is_refused(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "OLDEST_VERSION", 99)
    with pytest.raises(StoreDeniedError, match=r"PostgreSQL \d+ is too old; run 99 or later"):
        async with open_store(postgresql_url):
            pass


async def test_a_role_that_may_not_make_tables_is_told_so(
    postgresql_server: PostgresqlServer, postgresql_url: str
) -> None:
    async with operator(postgresql_url) as admin:
        role = f"guest_{os.urandom(4).hex()}"
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'guest'")
    owner = f"postgres:{quote(PASSWORD, safe='')}"
    with pytest.raises(StoreDeniedError, match="permission denied for schema public"):
        async with open_store(postgresql_url.replace(owner, f"{role}:guest")):
            pass


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailableError, match=r"127.0.0.1:1/db as 'me': "):
        async with open_store("postgresql://me:secret@127.0.0.1:1/db"):
            pass


async def test_what_waits_for_a_server_that_was_killed_is_stored_when_it_is_back(
    own_postgresql: PostgresqlServer, new_message: NewMessage
) -> None:
    returns: list[str] = []
    async with open_store(await new_database(own_postgresql)) as store:
        store.listen_to_return(lambda: returns.append("back"))
        first = await store.record(new_message(1))
        own_postgresql.kill()
        with pytest.raises(StoreUnavailableError):
            await store.record(new_message(2))
        with pytest.raises(StoreUnavailableError):
            await store.check()
        await own_postgresql.start()
        second = await until_stored(store, new_message(2))
        assert await store.transcript(TALK, limit=9) == [first, second]
        await store.check()
    assert returns == ["back"]


async def test_a_server_that_was_stopped_goes_on_where_it_was(
    own_postgresql: PostgresqlServer, new_message: NewMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(await new_database(own_postgresql)) as store:
        await store.record(new_message(1))
        with monkeypatch.context() as impatient:
            impatient.setattr(postgresql, "STEP_TIMEOUT_S", 0.5)
            impatient.setattr(postgresql, "CONNECT_TIMEOUT_S", 0.3)
            own_postgresql.pause()
            with pytest.raises(StoreUnavailableError, match="does not answer"):
                await store.record(new_message(2))
            with pytest.raises(StoreUnavailableError):
                await store.check()
        own_postgresql.resume()
        await until_stored(store, new_message(2))
        found = await store.transcript(TALK, limit=9)
    assert [one.sequence for one in found] == [1, 2]


async def test_while_a_server_does_not_answer_one_asks_it_and_the_others_wait_for_nothing(
    own_postgresql: PostgresqlServer, new_message: NewMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(await new_database(own_postgresql)) as store:
        monkeypatch.setattr(postgresql, "STEP_TIMEOUT_S", 0.5)
        own_postgresql.pause()
        with pytest.raises(StoreUnavailableError):
            await store.record(new_message(1))
        started = asyncio.get_running_loop().time()
        for sequence in range(100):
            with pytest.raises(StoreUnavailableError):
                await store.record(new_message(sequence))
        assert asyncio.get_running_loop().time() - started < 100 * 0.5 / 2
        own_postgresql.resume()
        await until_stored(store, new_message(1))


async def test_a_table_that_somebody_has_locked_is_waited_for_and_makes_the_store_not_ready(
    postgresql_url: str, new_message: NewMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgresql._SETTINGS, "lock_timeout", "200ms")
    async with open_store(postgresql_url) as store, operator(postgresql_url) as admin:
        await store.record(new_message(1))
        async with admin.transaction():
            await admin.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreUnavailableError, match="lock timeout"):
                await store.record(new_message(2))
            with pytest.raises(StoreUnavailableError):
                await store.check()
        assert await store.record(new_message(2)) == new_message(2)
        await store.check()


async def test_a_connection_that_ends_within_a_transaction_leaves_nothing_of_it(
    server_store: SqlStore, postgresql_url: str, new_message: NewMessage
) -> None:
    async with operator(postgresql_url) as admin:
        backends = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await server_store.record(new_message(1))
        await admin.execute("ALTER TABLE messages ADD CHECK (sequence < 9)")
        await admin.execute(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
        )
        await admin.execute(
            "CREATE CONSTRAINT TRIGGER failover AFTER INSERT ON messages DEFERRABLE "
            "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()"
        )
        with pytest.raises(StoreUnavailableError):
            await server_store.record(new_message(2))
        await admin.execute("DROP TRIGGER failover ON messages")
        await admin.execute(backends)  # and those that lie idle are ended as well
        assert await server_store.known(new_message(2).key) is None
        assert await server_store.record(new_message(2)) == new_message(2)


async def test_a_server_that_takes_no_writes_is_away_until_it_does(
    own_postgresql: PostgresqlServer, new_message: NewMessage
) -> None:
    url = await new_database(own_postgresql)
    async with open_store(url) as store, operator(url) as admin:
        await store.record(new_message(1))
        await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await admin.execute("SELECT pg_reload_conf()")
        await until_refused(store, new_message)
        with pytest.raises(StoreUnavailableError):
            await store.check()
        await admin.execute("SET default_transaction_read_only = off")
        await admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await admin.execute("SELECT pg_reload_conf()")
        await until_stored(store, new_message(2))


def as_logged(error: BaseException) -> str:
    """Return what a log would say of an error, but for the lines of code."""
    parts = [error]
    while parts[-1].__cause__ is not None:
        parts.append(parts[-1].__cause__)
    return "\n".join(f"{part!r} {part}" for part in parts)


async def until_refused(store: SqlStore, new_message: NewMessage) -> None:
    """Return when a write fails: each of the server's processes reads the settings for itself."""
    async with asyncio.timeout(10):
        for sequence in itertools.count(100):
            try:
                await store.record(new_message(sequence))
            except StoreUnavailableError:
                return


async def test_tables_that_are_away_while_a_backup_is_restored_refuse_no_message(
    server_store: SqlStore, postgresql_url: str, new_message: NewMessage
) -> None:
    async with operator(postgresql_url) as admin:
        await admin.execute("ALTER TABLE messages RENAME TO old_messages")
        with pytest.raises(StoreUnavailableError, match="does not exist"):
            await server_store.record(new_message(1))
        await admin.execute("ALTER TABLE old_messages RENAME TO messages")
    assert await server_store.record(new_message(1)) == new_message(1)


async def test_a_program_that_is_stopped_in_a_transaction_is_rid_of_its_locks(
    postgresql_url: str, new_message: NewMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(postgresql_url) as store, operator(postgresql_url) as stopped:
        await store.record(new_message(1))
        await stopped.execute("BEGIN")
        await stopped.execute("SELECT * FROM messages FOR UPDATE")
        await stopped.execute("SET idle_in_transaction_session_timeout = '300ms'")
        ended = await store.finish(new_message(1).key, End(datetime.now(UTC), "answer"))
        assert ended.end is not None
    assert SHIPPED["idle_in_transaction_session_timeout"] == "2s"


async def test_no_value_and_no_password_gets_into_a_log_or_an_error(
    server_store: SqlStore, new_message: NewMessage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = dataclasses.replace(new_message(1, text="the secret text"), agent="nul \x00 secret")
    with pytest.raises(Exception, match="cannot store a value") as caught:
        await server_store.record(bad)
    told = as_logged(caught.value) + caplog.text
    assert "secret" not in told
    assert PASSWORD not in told


@pytest.mark.timeout(90)  # three programs start
async def test_three_programs_decide_each_message_of_a_conversation_once(
    postgresql_url: str,
) -> None:
    """Three processes record the same messages, each with a decision that counts those before."""
    programs = [
        subprocess.Popen(  # noqa: ASYNC220 - it is quick
            [sys.executable, "-c", DECIDERS, postgresql_url, str(n)]
        )
        for n in range(3)
    ]
    assert [await asyncio.to_thread(program.wait) for program in programs] == [0, 0, 0]
    async with open_store(postgresql_url) as store:
        found = await store.transcript(TALK, limit=999)
    assert len(found) == 60
    assert sorted(int(one.agent) for one in found) == list(range(60))


DECIDERS = """
import asyncio, random, sys
from dataclasses import replace
from datetime import UTC, datetime
from sympozium.contract.messages import InboundMessage, Sender
from sympozium.store.ports import Message, StoreUnavailableError, Verdict
from sympozium.store.sql import open_store

def decide(row):
    return lambda scene: Verdict(replace(row, agent=str(len(scene.open))))

def message(n):
    inbound = InboundMessage(
        message_id=f"m{n}", conversation="c", sender=Sender(platform="web", user_id="ada"),
        text="hello", time=datetime.now(UTC),
    )
    return Message("default", "web", inbound, n + 1, datetime.now(UTC))

async def record(store, row):
    while True:
        try:
            return await store.record(row, decide(row))
        except StoreUnavailableError:  # a program that stands still is rid of its transaction
            await asyncio.sleep(0.05)

async def main():
    numbers = list(range(60))
    random.Random(sys.argv[2]).shuffle(numbers)
    async with open_store(sys.argv[1]) as store, asyncio.TaskGroup() as group:
        for n in numbers:
            group.create_task(record(store, message(n)))

asyncio.run(main())
"""


async def until_stored(store: SqlStore, message: Message) -> Message:
    """Record *message*, as often as it takes."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await store.record(message)
            except StoreUnavailableError:
                await asyncio.sleep(0.05)


async def test_in_a_rush_connections_are_had_first_come_first_served(
    postgresql_url: str, new_message: NewMessage
) -> None:
    done: list[int] = []

    async def record_some(store: SqlStore, number: int) -> None:
        for n in range(3):
            await store.record(new_message(10 * number + n, conversation=f"c{number}"))
            done.append(n)

    async with open_store(postgresql_url, connections=1) as store, asyncio.TaskGroup() as group:
        for number in range(100):
            group.create_task(record_some(store, number))
    assert done == sorted(done)
