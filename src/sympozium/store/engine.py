"""Database engines: what a URL opens, and how each kind of database is made durable."""

from typing import Any

import sqlalchemy as sa

from sympozium.contract.errors import PermanentError

BUSY_TIMEOUT_MS = 5000
"""How long a writer waits for another process' commit. Under 25 s of handling time."""

MAX_JOURNAL_BYTES = 16 * 1024 * 1024
"""What a burst leaves of the write-ahead log of SQLite; beyond that it is cut."""

WRITING = {"sqlite_begin": "BEGIN IMMEDIATE"}
READING = {"sqlite_begin": "BEGIN"}


def create_engine(url: str) -> sa.Engine:
    """Return an engine for *url*, such as `sqlite:////var/lib/sympozium/router.db`.

    A driver in the URL (`sqlite+aiosqlite`) is read as the database's own: calls
    are made in threads of ours, and an asyncio driver would add another.

    Raises:
        PermanentError: The URL cannot be read, or names a database that is not supported.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise PermanentError("cannot read the store's URL; write it like sqlite:////path") from None
    if parsed.get_backend_name() != "sqlite":
        raise PermanentError(
            f"cannot open a store of kind {parsed.get_backend_name()!r}: not supported yet; "
            "use sqlite:////path/to/file.db"
        )
    if not parsed.database or parsed.database == ":memory:":
        raise PermanentError(
            "cannot keep sessions in memory: they must outlive the program; "
            "use sqlite:////path/to/file.db"
        )
    engine = sa.create_engine(
        parsed.set(drivername="sqlite"),
        hide_parameters=True,  # people's texts must not show up in exceptions
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    # The driver would begin transactions lazily; we begin them ourselves.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {MAX_JOURNAL_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A write lock taken at once waits its turn; one taken halfway can only fail.
    begin = connection.get_execution_options().get("sqlite_begin", WRITING["sqlite_begin"])
    connection.exec_driver_sql(begin)
