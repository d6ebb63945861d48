"""PostgreSQL: one server for the routers of a whole cluster.

Transactions run side by side here, those of several programs too. The server ends
what waits or idles for too long, so that neither a lock that somebody holds nor a
program that was stopped in the middle keeps everybody else waiting.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped] # it has no types
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from typing_extensions import override

from sympozium.contract.errors import PermanentError
from sympozium.store.database import ACCEPTED, Step, T
from sympozium.store.gate import Gate, StoreLostError
from sympozium.store.locks import hold
from sympozium.store.migrate import is_current, upgrade
from sympozium.store.ports import StoreDeniedError, StoreRefusedError, StoreUnavailableError

OLDEST_VERSION = 13
CONNECT_TIMEOUT_S = 2.0
TURN_TIMEOUT_S = 10.0
"""In line for a connection. A message may take 25 s altogether."""
LOCK_TIMEOUT_S = 3.0
STATEMENT_TIMEOUT_S = 4.0
STEP_TIMEOUT_S = 8.0
"""Beyond what the server ends by itself: it does not answer at all."""
MIGRATION_TIMEOUT_S = 600.0
IDLE_IN_TRANSACTION_S = 2.0
"""A program that is stopped within a transaction is rid of its locks after so long."""

_SETTINGS = {
    "application_name": "sympozium",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S:.0f}s",
    "lock_timeout": f"{LOCK_TIMEOUT_S:.0f}s",
    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S:.0f}s",
    "synchronous_commit": "on",  # a message is confirmed to its sender once it is committed
}
_MIGRATING = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL lock_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
)

# SQLSTATEs. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
_VALUE = ("22", "23", "54")
"""Classes of errors that are about a value."""
_DENIED = ("28", "3D000", "42501")
"""No such role, wrong password, not allowed; no such database; no privilege."""
_ENDED = ("57P01", "57P02", "57P03")
"""The server shuts down, has crashed, or is not up yet."""
_OURS = "42"
"""Class of what a statement may be wrong about; tables may be away while a backup is restored."""
_TABLES_AWAY = ("42P01", "42703")

_Failed = (sa.exc.SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class PostgresqlDatabase:
    """A `Database` on a server."""

    def __init__(self, url: str, connections: int) -> None:
        self._server = _Server(url)
        self._gate = Gate()
        self._turns = asyncio.Semaphore(connections)
        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._server.connect,
            hide_parameters=True,  # people's texts must not show up in exceptions
            pool_size=connections,
            max_overflow=0,
        )
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        sa.event.listen(self._engine.sync_engine.pool, "checkout", _sort_out)

    async def read(self, step: Step[T]) -> T:
        """Return what *step* returns; see `Database.read`."""
        async with (
            self._a_turn(),
            asyncio.timeout(STEP_TIMEOUT_S),
            self._reading.connect() as connection,
        ):
            return await connection.run_sync(step)

    async def write(self, step: Step[T]) -> T:
        """Return what *step* returns, committed; see `Database.write`."""
        async with (
            self._a_turn(),
            asyncio.timeout(STEP_TIMEOUT_S),
            self._engine.begin() as connection,
        ):
            return await connection.run_sync(step)

    async def prepare(self) -> None:
        """Bring the schema to this program's; see `Database.prepare`."""
        try:
            if not await self.read(is_current):
                with _translated():
                    await self._migrate()
        except StoreUnavailableError as error:
            raise type(error)(f"cannot open the session store at {self._server}: {error}") from None

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _a_turn(self) -> AsyncIterator[None]:
        """Wait for one of our connections to be free, first come, first served.

        The pool by itself gives one to whoever asks as it is put back, and lets others
        stand for ever.
        """
        try:
            async with asyncio.timeout(TURN_TIMEOUT_S):
                await self._turns.acquire()
        except TimeoutError:
            raise StoreUnavailableError(
                "cannot use the session store: all connections are in use; are statements slow?"
            ) from None
        try:
            with self._gate.passing(), _translated():
                yield
        finally:
            self._turns.release()

    async def _migrate(self) -> None:
        async with asyncio.timeout(MIGRATION_TIMEOUT_S), self._engine.begin() as connection:
            await _free_of_limits(connection)
            await connection.run_sync(_upgrade_alone)


class _Server:
    """Opens connections. Its text names the place, and never the password."""

    def __init__(self, url: str) -> None:
        _, _, rest = url.partition("://")
        self._dsn = f"postgresql://{rest}"
        parts = urlsplit(self._dsn)
        name = parts.path.removeprefix("/")
        if not parts.netloc.rpartition("@")[2] or not name or not parts.username:
            raise PermanentError(
                "cannot read SYMPOZIUM_STORE_URL: user, host or database name is missing; "
                f"write it like {ACCEPTED}"
            )
        self._place = f"{parts.netloc.rpartition('@')[2]}/{name} as {parts.username!r}"

    @override
    def __str__(self) -> str:
        return self._place

    async def connect(self) -> Any:
        """Return a new connection of the driver."""
        try:
            connection = await asyncpg.connect(
                self._dsn,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=STEP_TIMEOUT_S,
                server_settings=_SETTINGS,
                target_session_attrs="read-write",
            )
        except ssl.SSLError as error:
            raise StoreDeniedError(f"TLS: {error.reason}; see its sslmode") from None
        except asyncpg.ClientConfigurationError:  # its text may hold the URL
            raise StoreDeniedError("an option of its URL is none that we know") from None
        except asyncpg.TargetServerAttributeNotMatched:
            raise StoreLostError("the server takes no writes now (a standby?)") from None
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            raise _at_connect(error) from None
        version = connection.get_server_version().major
        if version < OLDEST_VERSION:
            connection.terminate()
            raise StoreDeniedError(
                f"PostgreSQL {version} is too old; run {OLDEST_VERSION} or later"
            )
        return connection


def _sort_out(dbapi_connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Have a new connection opened in the place of one that the server has closed."""
    if dbapi_connection.driver_connection.is_closed():
        raise sa.exc.DisconnectionError


async def _free_of_limits(connection: AsyncConnection) -> None:
    for setting in _MIGRATING:
        await connection.exec_driver_sql(setting)


def _upgrade_alone(connection: sa.Connection) -> None:
    hold(connection, "migration")
    if not is_current(connection):
        upgrade(connection)


@contextmanager
def _translated() -> Iterator[None]:
    """Raise errors of the session store instead of those of libraries.

    No text of theirs is passed on but the first line of the server's: others may
    hold values.
    """
    try:
        yield
    except TimeoutError:
        raise StoreLostError("cannot use the session store: it does not answer") from None
    except UnicodeError as error:
        raise StoreRefusedError(f"cannot store a value: {type(error).__name__}") from None
    except _Failed as error:
        translated = _in_use(_cause(error))
        if translated is None:
            raise
        raise translated from None


def _cause(error: BaseException) -> BaseException:
    """Return the driver's own error."""
    original = getattr(error, "orig", None)
    return getattr(original, "driver_exception", None) or original or error


def _at_connect(error: Exception) -> StoreUnavailableError:
    state, what = getattr(error, "sqlstate", None) or "", _said(error)
    return StoreDeniedError(what) if state.startswith(_DENIED) else StoreLostError(what)


def _in_use(error: BaseException) -> Exception | None:
    """Return what a failed step is to raise; None: what it raised, which is a bug."""
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith(_VALUE) or (isinstance(error, ValueError) and not state):
        return StoreRefusedError(f"cannot store a value: {type(error).__name__}")
    if state in _ENDED:
        return StoreLostError(f"cannot use the session store: {_said(error)}")
    if state.startswith(_DENIED):
        return StoreDeniedError(f"cannot use the session store: {_said(error)}")
    if state.startswith(_OURS) and state not in _TABLES_AWAY:
        return None
    return StoreUnavailableError(f"cannot use the session store: {_said(error)}")


def _said(error: BaseException) -> str:
    """Return the cause in a few words, without values."""
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, asyncpg.PostgresError) and error.sqlstate:
        return f"{error.message} ({error.sqlstate})"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else type(error).__name__
    return "the connection was lost"
