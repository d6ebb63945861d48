import subprocess
import sys
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
from sympozium.store.engine import create_engine
from sympozium.store.ports import Conversation, End, StoreRefusedError, StoreUnavailableError
from sympozium.store.schema import metadata
from sympozium.store.sql import open_store


def test_migrations_lead_to_the_schema_that_the_code_uses(store_url: str) -> None:
    engine = create_engine(store_url)
    migrate.migrate(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_revisions_that_the_code_knows_are_those_in_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    newest_first = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in newest_first)[::-1] == migrate.REVISIONS


async def test_a_store_of_a_newer_program_is_refused(store_url: str) -> None:
    engine = create_engine(store_url)
    migrate.migrate(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreRefusedError, match=r"schema is '9999'.*newer program"):
        async with open_store(store_url):
            pass


def test_programs_that_start_at_once_migrate_once(store_url: str) -> None:
    code = (
        "import sys; from sympozium.store.engine import create_engine\n"
        "from sympozium.store.migrate import migrate\n"
        "migrate(create_engine(sys.argv[1]))"
    )
    starts = [subprocess.Popen([sys.executable, "-c", code, store_url]) for _ in range(3)]
    assert [start.wait() for start in starts] == [0, 0, 0]


def test_a_start_with_nothing_to_migrate_does_not_load_alembic(store_url: str) -> None:
    engine = create_engine(store_url)
    migrate.migrate(engine)
    engine.dispose()
    code = (
        "import sys; from sympozium.store.engine import create_engine\n"
        "from sympozium.store.migrate import migrate\n"
        "migrate(create_engine(sys.argv[1])); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, store_url], check=False).returncode == 0


def at_first_revision(url: str) -> sa.Engine:
    """Return a store as the first version of the program left it."""
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    return engine


async def test_messages_of_the_first_version_are_all_there_after_migrating(
    store_url: str,
) -> None:
    engine = at_first_revision(store_url)
    row = {
        "namespace": "default", "channel": "web", "conversation": "c", "platform": "web",
        "workspace": "w", "user_id": "ada", "display_name": "Ada", "agent": "helper",
        "run_name": "web-1", "run_uid": "uid-1", "sent_at": "2026-03-01 12:00:00.250000",
        "recorded_at": "2026-03-01 12:00:01.000000",
    }  # fmt: skip
    answered = {"ended_at": "2026-03-01 12:00:09.000000", "reply": 'an "answer"\n🦊\x00'}
    refused = {
        "ended_at": "2026-03-01 12:00:09.500000", "reply": "",
        "error_code": "Quota", "error_message": "No room.",
    }  # fmt: skip
    with engine.begin() as connection:
        for n, end in enumerate([answered, refused, {}, *[answered] * 2500]):
            values = {
                "ended_at": None, "reply": None, "error_code": None, "error_message": None,
                "message_id": f"m{n:04}", "sequence": n + 1, "text": f"text {n} 🦊",
                "outbox_sequence": n + 1 if end else 0, **row, **end,
            }  # fmt: skip
            names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
            connection.execute(sa.text(f"INSERT INTO messages ({names}) VALUES ({marks})"), values)  # noqa: S608 - our own names
    engine.dispose()
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
    assert first.end == End(
        time=datetime(2026, 3, 1, 12, 0, 9, tzinfo=UTC), text='an "answer"\n🦊\x00'
    )
    assert second.end is not None
    assert second.end.error == VisibleError(code="Quota", message="No room.")
    assert (third.end, third.run_uid, left) == (None, "uid-1", [third])


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "cannot read the store's URL"),
        ("postgresql://db/sessions", "not supported yet"),
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
