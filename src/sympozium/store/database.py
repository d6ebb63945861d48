"""What a kind of database does for the session store."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Step = Callable[[sa.Connection], T]
"""Statements within one transaction of its caller's. It may be run twice, and nothing of the
first time is left then."""

MAX_CONNECTIONS = 10
"""Of one program to a server. What a message needs takes a few milliseconds of one."""

ACCEPTED = "sqlite:////path/to/file.db, or postgresql://user:password@host:5432/name"


class Database(Protocol):
    """Runs steps. What a method did is on disk when it returns.

    Every method raises `StoreUnavailableError` while the database is away, locked or
    full, and `StoreRefusedError` where it cannot hold a value.
    """

    async def read(self, step: Step[T]) -> T:
        """Return what *step* returns, which changes nothing. Each statement sees what is there."""

    async def write(self, step: Step[T]) -> T:
        """Return what *step* returns, after its transaction is committed."""

    async def prepare(self) -> None:
        """Bring the schema to this program's; programs that start at once wait for one another.

        Raises:
            StoreDeniedError: A person must act: there is no such database, or it is closed to us.
            StoreRefusedError: The schema is of a newer program, or of something else.
        """

    async def close(self) -> None:
        """Finish what waits, and leave nothing open."""
