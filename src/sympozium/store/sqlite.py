"""SQLite: one file, made durable, for the routers of one machine.

It has one writer at a time, so writes stand in one line and share commits.
"""

import asyncio
from typing import Any

import sqlalchemy as sa

from sympozium.contract.errors import PermanentError
from sympozium.store.database import Step, T
from sympozium.store.lane import Lane
from sympozium.store.migrate import is_current, upgrade
from sympozium.store.ports import StoreUnavailableError

BUSY_TIMEOUT_MS = 5000
"""How long a writer waits for another process' commit. Under 25 s of handling time."""

MAX_JOURNAL_BYTES = 16 * 1024 * 1024
"""What a burst leaves of the write-ahead log of SQLite; beyond that it is cut."""

_WRITING = {"sqlite_begin": "BEGIN IMMEDIATE"}
_READING = {"sqlite_begin": "BEGIN"}


class SqliteDatabase:
    """A `Database` in a file."""

    def __init__(self, url: sa.URL) -> None:
        if not url.database or url.database == ":memory:":
            raise PermanentError(
                "cannot keep sessions in memory: they must outlive the program; "
                "use sqlite:////path/to/file.db"
            )
        self._path = url.database
        self._engine = sa.create_engine(
            url.set(drivername="sqlite"),
            hide_parameters=True,  # people's texts must not show up in exceptions
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
        )
        sa.event.listen(self._engine, "connect", _prepare)
        sa.event.listen(self._engine, "begin", _begin)
        self._writes = Lane(self._engine.execution_options(**_WRITING), "store-write")
        self._reads = Lane(self._engine.execution_options(**_READING), "store-read")

    async def read(self, step: Step[T]) -> T:
        """Return what *step* returns; see `Database.read`."""
        return await self._reads.run(step)

    async def write(self, step: Step[T]) -> T:
        """Return what *step* returns, committed; see `Database.write`."""
        return await self._writes.run(step)

    async def prepare(self) -> None:
        """Bring the schema to this program's; see `Database.prepare`."""
        try:
            await asyncio.to_thread(self._migrate)
        except sa.exc.DBAPIError as error:
            raise StoreUnavailableError(
                f"cannot open the session store {self._path!r}: {error.orig}; "
                "does its folder exist, and may this program write there?"
            ) from None

    async def close(self) -> None:
        """Finish what waits and end the threads."""
        for lane in (self._writes, self._reads):
            await asyncio.to_thread(lane.close)
        self._engine.dispose()

    def _migrate(self) -> None:
        with self._engine.execution_options(**_READING).begin() as connection:
            if is_current(connection):
                return
        with self._engine.execution_options(**_WRITING).begin() as connection:
            upgrade(connection)


def _prepare(connection: Any, record: object) -> None:
    # The driver would begin transactions lazily; we begin them ourselves.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {MAX_JOURNAL_BYTES}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    # A write lock taken at once waits its turn; one taken halfway can only fail.
    begin = connection.get_execution_options().get("sqlite_begin", _WRITING["sqlite_begin"])
    connection.exec_driver_sql(begin)
