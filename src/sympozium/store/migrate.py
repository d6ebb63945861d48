"""Bringing a database to the schema of this program.

Alembic costs a third of a second to import, and nearly every start finds nothing
to do, so the version is compared first and Alembic is loaded only for a change.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from sympozium.store.ports import StoreRefusedError

log = logging.getLogger(__name__)

REVISIONS = ("0001", "0002", "0003")
"""Every revision under `migrations/versions`, oldest first. The last is this program's."""

_MIGRATIONS = Path(__file__).with_name("migrations")


def is_current(connection: sa.Connection) -> bool:
    """Return whether the schema is this program's.

    Raises:
        StoreRefusedError: It is of a newer program, or of something else.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        return False
    revision = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if revision is not None and revision not in REVISIONS:
        raise StoreRefusedError(
            f"cannot use the session store: its schema is {revision!r} and this program knows "
            f"up to {REVISIONS[-1]!r}; run the newer program, or restore an older store"
        )
    return bool(revision == REVISIONS[-1])


def upgrade(connection: sa.Connection) -> None:
    """Make the schema this program's, within a transaction in which nobody else does."""
    from alembic import command  # slow, and rarely needed
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("store migrated", extra={"action": "migrate", "revision": REVISIONS[-1]})
