import subprocess
import sys

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from sympozium.contract.errors import PermanentError
from sympozium.store import migrate
from sympozium.store.engine import create_engine
from sympozium.store.ports import StoreRefusedError, StoreUnavailableError
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
