"""Keeping other programs from deciding about the same thing at the same time.

SQLite has one writer at a time, so nothing is to be done there. On a server,
transactions run side by side: one that reads, decides and writes has to be alone
with what it decides about. A transaction takes one such lock, as its first
statement, so none waits for another in a circle; what it reads is read after it.
"""

import hashlib

import sqlalchemy as sa

_LOCK = sa.select(sa.func.pg_advisory_xact_lock(sa.bindparam("key", type_=sa.BigInteger)))


def hold(connection: sa.Connection, what: str, *names: str) -> None:
    """Be alone with *what* of these *names* until the end of the transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"key": _number(what, *names)})


def _number(*names: str) -> int:
    # Equal numbers of different things cost a wait and nothing else.
    text = "\0".join(names).encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)
