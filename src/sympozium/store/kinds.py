"""Which kind of database a URL names. Each loads its own driver, when it is asked for."""

import sqlalchemy as sa

from sympozium.contract.errors import PermanentError
from sympozium.store.database import ACCEPTED, Database


def open_database(url: str, *, connections: int) -> Database:
    """Return the database at *url*; nothing is connected to yet.

    A driver in the URL (`sqlite+aiosqlite`) is read as the database's own: we choose it.

    Args:
        url: Of the kind of `ACCEPTED`.
        connections: How many of them a server is asked for at the most.

    Raises:
        PermanentError: The URL cannot be read, or names a database that is not supported.
    """
    scheme, separator, _ = url.partition("://")
    if not separator:  # what was given may be a password, so it is not repeated
        raise PermanentError(f"cannot read SYMPOZIUM_STORE_URL; write it like {ACCEPTED}")
    kind = scheme.partition("+")[0]
    if kind == "sqlite":
        from sympozium.store.sqlite import SqliteDatabase

        return SqliteDatabase(sa.make_url(url))
    if kind in {"postgresql", "postgres"}:
        from sympozium.store.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(url, connections)
    raise PermanentError(
        f"cannot open a store of kind {kind!r}: not supported; "
        f"set SYMPOZIUM_STORE_URL to {ACCEPTED}"
    )
