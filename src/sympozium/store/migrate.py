"""Bringing a database to the schema of this program.

Alembic costs a third of a second to import, and nearly every start finds nothing
to do, so the version is compared first and Alembic is loaded only for a change.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from sympozium.store.engine import READING, WRITING
from sympozium.store.ports import StoreRefusedError

log = logging.getLogger(__name__)

REVISIONS = ("0001", "0002", "0003")
"""Every revision under `migrations/versions`, oldest first. The last is this program's."""

_MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(engine: sa.Engine) -> None:
    """Make the schema this program's. Programs that start at once wait for one another.

    Raises:
        StoreRefusedError: The schema is of a newer program, or of something else.
    """
    current = _revision(engine)
    if current == REVISIONS[-1]:
        return
    if current is not None and current not in REVISIONS:
        raise StoreRefusedError(
            f"cannot use the session store: its schema is {current!r} and this program knows "
            f"up to {REVISIONS[-1]!r}; run the newer program, or restore an older store"
        )
    _upgrade(engine)


def _revision(engine: sa.Engine) -> str | None:
    with engine.execution_options(**READING).begin() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command  # slow, and rarely needed
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    with engine.execution_options(**WRITING).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    log.info("store migrated", extra={"action": "migrate", "revision": REVISIONS[-1]})
