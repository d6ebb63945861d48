"""Steps on the notes and claims of channels. Each runs within a transaction of its caller's."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.names import may_go_on
from sympozium.store.locks import hold
from sympozium.store.ports import ChannelKey
from sympozium.store.schema import claims, notes

MAX_READ = 5000
"""Notes that one request for a prefix returns: the newest ones, newest first."""


def note(
    connection: sa.Connection, owner: ChannelKey, request: NotesRequest, now: datetime
) -> NotesAnswer:
    """Do what *request* asks for; see `Notes.note`."""
    if request.put or request.claim:
        hold(connection, "notes", *owner)
    for key, value in request.put.items():
        _put(connection, owner, key, value, now)
    found = _read(connection, owner, request)
    is_claimed = bool(request.claim) and _claim(connection, owner, request, now)
    return NotesAnswer(notes=found, is_claimed=is_claimed)


def trim(connection: sa.Connection, owner: ChannelKey, most: int) -> int:
    """Delete the oldest notes beyond *most*; see `Notes.trim_notes`."""
    hold(connection, "notes", *owner)
    newest_first = (
        sa.select(notes.c.key)
        .where(_owned(notes, owner))
        .order_by(notes.c.written_at.desc(), notes.c.key)
    )
    # Those to keep are skipped by their number; SQLite wants a limit beside it.
    too_many = newest_first.limit(2**31 - 1).offset(most)
    deleted = connection.execute(
        notes.delete().where(_owned(notes, owner), notes.c.key.in_(too_many))
    )
    return deleted.rowcount


def prune(connection: sa.Connection, written_before: datetime, now: datetime, limit: int) -> int:
    """Delete what is too old; see `Notes.prune_notes`."""
    old = (
        sa.select(notes.c.namespace, notes.c.channel, notes.c.key)
        .where(notes.c.written_at < written_before)
        .limit(limit)
    )
    key = sa.tuple_(notes.c.namespace, notes.c.channel, notes.c.key)
    # Said twice: what somebody writes while this waits for them is looked at once more.
    still = notes.c.written_at < written_before
    deleted = connection.execute(notes.delete().where(key.in_(old), still))
    connection.execute(claims.delete().where(claims.c.expires_at < now))
    return deleted.rowcount


def _put(connection: sa.Connection, owner: ChannelKey, key: str, value: str, now: datetime) -> None:
    here = sa.and_(_owned(notes, owner), notes.c.key == key)
    if not value:
        connection.execute(notes.delete().where(here))
        return
    values = {"value": value, "written_at": now}
    if not connection.execute(notes.update().where(here).values(values)).rowcount:
        connection.execute(notes.insert().values(**owner._asdict(), key=key, **values))


def _read(connection: sa.Connection, owner: ChannelKey, request: NotesRequest) -> dict[str, str]:
    columns = sa.select(notes.c.key, notes.c.value).where(_owned(notes, owner))
    found: dict[str, str] = {}
    if request.get:
        found |= _pairs(connection, columns.where(notes.c.key.in_(request.get)))
    if request.prefix:
        # Not LIKE, which would read `%` and `_` and may fold case.
        begins = sa.func.substr(notes.c.key, 1, len(request.prefix)) == request.prefix
        newest = columns.where(begins).order_by(notes.c.written_at.desc()).limit(MAX_READ)
        found |= _pairs(connection, newest)
    return found


def _pairs(connection: sa.Connection, query: sa.Select[Any]) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _claim(
    connection: sa.Connection, owner: ChannelKey, request: NotesRequest, now: datetime
) -> bool:
    here = sa.and_(_owned(claims, owner), claims.c.name == request.claim)
    held = connection.execute(claims.select().where(here)).one_or_none()
    if request.for_s <= 0:
        connection.execute(claims.delete().where(here, claims.c.holder == request.holder))
        return False
    if held is not None and held.expires_at > now and not may_go_on(request.holder, held.holder):
        return False
    values = {"holder": request.holder, "expires_at": now + timedelta(seconds=request.for_s)}
    if held is None:
        values |= {**owner._asdict(), "name": request.claim}
        connection.execute(claims.insert().values(values))
    else:
        connection.execute(claims.update().where(here).values(values))
    return True


def _owned(table: sa.Table, owner: ChannelKey) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.namespace == owner.namespace, table.c.channel == owner.channel)
