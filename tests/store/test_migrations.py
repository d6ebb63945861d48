import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage, Sender, VisibleError
from sympozium.contract.names import ConversationId, MessageId
from sympozium.store import migrate
from sympozium.store.database import Database
from sympozium.store.kinds import open_database
from sympozium.store.ports import Conversation, End, StoreRefusedError, StoreUnavailableError
from sympozium.store.schema import metadata
from sympozium.store.sql import open_store


async def test_migrations_lead_to_the_schema_that_the_code_uses(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.prepare()
        found = await database.write(
            lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
        )
    assert found == []


def test_the_revisions_that_the_code_knows_are_those_in_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    newest_first = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in newest_first)[::-1] == migrate.REVISIONS


async def test_a_store_of_a_newer_program_is_refused(store_url: str) -> None:
    async with opened(store_url) as database:
        await database.prepare()
        newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
        await database.write(lambda connection: connection.execute(newer).close())
    with pytest.raises(StoreRefusedError, match=r"schema is '9999'.*newer program"):
        async with open_store(store_url):
            pass


OPEN = """
import asyncio, sys
from sympozium.store.sql import open_store

async def main():
    async with open_store(sys.argv[1]):
        pass

asyncio.run(main())
"""


async def test_programs_that_start_at_once_migrate_once(store_url: str) -> None:
    starts = [
        subprocess.Popen([sys.executable, "-c", OPEN, store_url])  # noqa: ASYNC220 - it is quick
        for _ in range(3)
    ]
    assert [await asyncio.to_thread(start.wait) for start in starts] == [0, 0, 0]


async def test_a_start_with_nothing_to_migrate_does_not_load_alembic(store_url: str) -> None:
    async with open_store(store_url):
        pass
    code = f"{OPEN}\nsys.exit('alembic' in sys.modules)"
    start = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, store_url], check=False
    )
    assert start.returncode == 0


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """Yield the database of *url* as it is."""
    database = open_database(url, connections=2)
    try:
        yield database
    finally:
        await database.close()


def to_first_revision(connection: sa.Connection) -> None:
    """Leave a store as the first version of the program left it."""
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


async def test_messages_of_the_first_version_are_all_there_after_migrating(
    store_url: str,
) -> None:
    # PostgreSQL keeps no NUL in a text, so a first version on it could not have one.
    answer = 'an "answer"\n🦊' + ("\x00" if store_url.startswith("sqlite") else "")
    row = {
        "namespace": "default", "channel": "web", "conversation": "c", "platform": "web",
        "workspace": "w", "user_id": "ada", "display_name": "Ada", "agent": "helper",
        "run_name": "web-1", "run_uid": "uid-1", "sent_at": moment(0, 250_000),
        "recorded_at": moment(1),
    }  # fmt: skip
    answered = {"ended_at": moment(9), "reply": answer}
    refused = {
        "ended_at": moment(9, 500_000), "reply": "",
        "error_code": "Quota", "error_message": "No room.",
    }  # fmt: skip
    rows = [
        {
            "ended_at": None,
            "reply": None,
            "error_code": None,
            "error_message": None,
            "message_id": f"m{n:04}",
            "sequence": n + 1,
            "text": f"text {n} 🦊",
            "outbox_sequence": n + 1 if end else 0,
            **row,
            **end,
        }
        for n, end in enumerate([answered, refused, {}, *[answered] * 2500])
    ]

    def fill(connection: sa.Connection) -> None:
        to_first_revision(connection)
        old = sa.Table("messages", sa.MetaData(), autoload_with=connection)
        connection.execute(old.insert(), rows)

    async with opened(store_url) as database:
        await database.write(fill)
    conversation = Conversation("default", "web", ConversationId("c"))
    async with open_store(store_url) as store:
        first, second, third = await store.transcript(conversation, limit=3, before=4)
        everything = await store.transcript(conversation, limit=9999)
        left = await store.open_messages(conversation, limit=9)
    assert len(everything) == 2503
    assert first.inbound == InboundMessage(
        message_id=MessageId("m0000"),
        conversation=ConversationId("c"),
        sender=Sender(platform="web", user_id="ada", workspace="w", display_name="Ada"),
        text="text 0 🦊",
        time=datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC),
    )
    assert first.end == End(time=datetime(2026, 3, 1, 12, 0, 9, tzinfo=UTC), text=answer)
    assert second.end is not None
    assert second.end.error == VisibleError(code="Quota", message="No room.")
    assert (third.end, third.run_uid, left) == (None, "uid-1", [third])


def moment(second: int, microsecond: int = 0) -> datetime:
    """Return a moment of a certain minute."""
    return datetime(2026, 3, 1, 12, 0, second, microsecond, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "cannot read SYMPOZIUM_STORE_URL"),
        ("mysql://db/sessions", "not supported"),
        ("postgresql://db/sessions", "user, host or database name is missing"),
        ("postgresql://user:secret@db", "user, host or database name is missing"),
        ("sqlite://", "must outlive the program"),
    ],
)
async def test_a_url_that_cannot_be_used_is_named(url: str, says: str) -> None:
    with pytest.raises(PermanentError, match=says):
        async with open_store(url):
            pass


async def test_a_missing_folder_is_named() -> None:
    with pytest.raises(StoreUnavailableError, match="does its folder exist"):
        async with open_store("sqlite:////nowhere/router.db"):
            pass
