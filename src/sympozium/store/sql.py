"""The session store over SQL."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import sqlalchemy as sa

from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.limits import STREAM_MAX_AGE, TOMBSTONE_AGE
from sympozium.contract.names import ConversationId, RunUid
from sympozium.contract.run_events import Usage
from sympozium.store import notes, statements, talks
from sympozium.store.database import MAX_CONNECTIONS, Database, Step, T
from sympozium.store.kinds import open_database
from sympozium.store.locks import hold
from sympozium.store.measures import Operation, measured
from sympozium.store.ports import (
    MAX_OPEN,
    ChannelKey,
    Conversation,
    Cut,
    Decide,
    End,
    Message,
    MessageKey,
    Revise,
    Scene,
    StoreUnavailableError,
    Talk,
    Verdict,
)
from sympozium.store.rows import (
    Values,
    changing_values,
    end_values,
    key_values,
    message_values,
    read_message,
)

REFUSES_FOR_S = 5.0
"""A write that failed says so long that writes fail, unless one succeeded since."""


class SqlStore:
    """A `SessionStore`. Made by `open_store`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refused_at: float | None = None
        self._is_away = False
        self._listeners: list[Callable[[], None]] = []

    async def known(self, key: MessageKey) -> Message | None:
        """Return a message; see `Messages.known`."""
        return await self._read(lambda connection: _known(connection, key))

    async def record(self, message: Message, decide: Decide | None = None) -> Message:
        """Store *message* unless its key is there; see `Messages.record`."""
        return await self._write(lambda connection: _record(connection, message, decide))

    async def revise(self, conversation: Conversation, revise: Revise) -> Sequence[Message]:
        """Change open messages; see `Messages.revise`."""

        def step(connection: sa.Connection) -> Sequence[Message]:
            hold(connection, "conversation", *conversation)
            return _change(connection, revise(_endless(connection, conversation)))

        return await self._write(step)

    async def started(self, key: MessageKey, run_uid: RunUid) -> Message:
        """Note that the run exists; see `Messages.started`."""
        values = {**key_values(key), "new_run_uid": run_uid}

        def step(connection: sa.Connection) -> Message:
            connection.execute(statements.STARTED, values)
            return _stored(connection, key)

        return await self._write(step)

    async def finish(self, key: MessageKey, end: End, *, as_cut: Cut | None = None) -> Message:
        """Note the end; see `Messages.finish`."""

        def step(connection: sa.Connection) -> Message:
            new = {f"new_{name}": value for name, value in end_values(end).items()}
            values = {**key_values(key), **new}
            if as_cut is None:
                connection.execute(statements.FINISH, values)
            else:
                connection.execute(statements.FINISH_AS_CUT, {**values, "as_cut": as_cut.value})
            return _stored(connection, key)

        return await self._write(step)

    async def published(self, key: MessageKey, outbox_sequence: int) -> None:
        """Note that the end was published; see `Messages.published`."""
        values = {**key_values(key), "new_outbox_sequence": outbox_sequence}
        await self._write(lambda connection: _execute(connection, statements.PUBLISHED, values))

    async def open_conversations(self) -> list[Conversation]:
        """Return conversations with work left; see `Unfinished.open_conversations`."""
        rows = await self._read(lambda connection: connection.execute(statements.OPEN_TALKS).all())
        return [Conversation(row[0], row[1], ConversationId(row[2])) for row in rows]

    async def open_messages(self, conversation: Conversation, *, limit: int) -> list[Message]:
        """Return the first unfinished messages; see `Unfinished.open_messages`."""
        values = {**conversation._asdict(), "limit": limit}
        return await self._read(lambda connection: _read_all(connection, statements.OPEN, values))

    async def waiting_before(self, conversation: Conversation, before: int) -> int:
        """Return how many messages wait; see `Unfinished.waiting_before`."""
        values = {**conversation._asdict(), "before": before}
        return await self._read(
            lambda connection: connection.execute(statements.WAITING_BEFORE, values).scalar_one()
        )

    async def last_end(self, conversation: Conversation, before: int) -> datetime | None:
        """Return the latest end before a message; see `Unfinished.last_end`."""
        values = {**conversation._asdict(), "before": before}
        return await self._read(
            lambda connection: connection.execute(statements.LAST_END, values).scalar()
        )

    async def handled(self, low: int, high: int, *, namespace: str = "") -> set[int]:
        """Return the sequences that need nothing of INBOX; see `Unfinished.handled`."""
        values = {"low": low, "high": high, "namespace": namespace}
        return await self._read(
            lambda connection: set(connection.execute(statements.HANDLED, values).scalars())
        )

    async def reopen(self, *, published_after: int) -> int:
        """Note that ends are not published; see `Unfinished.reopen`."""
        values = {"after": published_after}
        return await self._write(
            lambda connection: connection.execute(statements.REOPEN, values).rowcount
        )

    async def unpublished(self, keys: Sequence[MessageKey]) -> set[MessageKey]:
        """Return those whose end is not published; see `Unfinished.unpublished`."""

        def step(connection: sa.Connection) -> set[MessageKey]:
            is_one = statements.IS_UNPUBLISHED
            return {key for key in keys if connection.execute(is_one, key_values(key)).first()}

        return await self._read(step)

    async def transcript(
        self,
        conversation: Conversation,
        *,
        limit: int,
        before: int | None = None,
        since: int = 0,
    ) -> list[Message]:
        """Return what was said; see `Transcripts.transcript`."""
        upper = statements.LAST_SEQUENCE if before is None else before
        bounds = {"before": upper, "since": since, "limit": limit}
        values = {**conversation._asdict(), **bounds}
        newest_first = await self._read(
            lambda connection: _read_all(connection, statements.TRANSCRIPT, values)
        )
        return newest_first[::-1]

    async def is_run_of(self, channel: ChannelKey, uid: RunUid) -> bool:
        """Return whether a run answered a message of a channel; see `Transcripts.is_run_of`."""
        values = {**channel._asdict(), "run_uid": uid}
        found = await self._read(
            lambda connection: connection.execute(statements.RUN_OF, values).scalar()
        )
        return bool(uid) and found is not None

    async def usage(self, conversation: Conversation, *, since: int) -> Usage:
        """Return the tokens used; see `Transcripts.usage`."""
        values = {**conversation._asdict(), "since": since}
        row = await self._read(
            lambda connection: connection.execute(statements.USAGE, values).one()
        )
        return Usage(input_tokens=int(row[0]), output_tokens=int(row[1]))

    async def talk(self, conversation: Conversation) -> Talk:
        """Return what was chosen for a conversation; see `Talks.talk`."""
        return await self._read(lambda connection: talks.read_talk(connection, conversation))

    async def leave(self, conversation: Conversation, sequence: int, *, now: datetime) -> None:
        """Note that people talk to each other; see `Talks.leave`."""

        def step(connection: sa.Connection) -> None:
            hold(connection, "conversation", *conversation)
            talk = talks.read_talk(connection, conversation)
            left = replace(talk, left_at=max(talk.left_at, sequence))
            talks.write_talk(connection, conversation, left, now)

        await self._write(step)

    async def may_tell(
        self, key: MessageKey, sender: str, *, now: datetime, again_after: timedelta
    ) -> bool:
        """Return whether a refusal is told; see `Talks.may_tell`."""
        return await self._write(
            lambda connection: talks.may_tell(connection, key, sender, now, again_after)
        )

    async def check(self) -> None:
        """Return if the store answers; see `Upkeep.check`."""
        if self._refused_at is not None and monotonic() - self._refused_at < REFUSES_FOR_S:
            raise StoreUnavailableError("cannot use the session store: it takes no writes")
        await self._read(lambda connection: _execute(connection, statements.ANY, {}))

    async def prune(
        self,
        *,
        ended_before: datetime,
        limit: int,
        up_to: int = statements.LAST_SEQUENCE,
        namespace: str = "",
    ) -> int:
        """Delete old messages; see `Upkeep.prune`."""
        now = datetime.now(UTC)
        if now - ended_before < TOMBSTONE_AGE:
            raise ValueError(f"a message must be kept for {TOMBSTONE_AGE}, to be known again")
        values = {
            "ended_before": ended_before,
            "certainly_before": now - STREAM_MAX_AGE - TOMBSTONE_AGE,
            "up_to": up_to,
            "namespace": namespace,
            "limit": limit,
        }
        return await self._write(
            lambda connection: connection.execute(statements.PRUNE, values).rowcount
        )

    async def prune_talks(self, *, unused_since: datetime, limit: int) -> int:
        """Delete old choices and refusals; see `Upkeep.prune_talks`."""
        return await self._write(lambda connection: talks.prune(connection, unused_since, limit))

    async def note(self, owner: ChannelKey, request: NotesRequest, *, now: datetime) -> NotesAnswer:
        """Keep, read and claim; see `Notes.note`."""
        run = self._write if request.put or request.claim else self._read
        return await run(lambda connection: notes.note(connection, owner, request, now))

    async def trim_notes(self, owner: ChannelKey, *, most: int) -> int:
        """Delete the oldest notes; see `Notes.trim_notes`."""
        return await self._write(lambda connection: notes.trim(connection, owner, most))

    async def prune_notes(self, *, written_before: datetime, now: datetime, limit: int) -> int:
        """Delete old notes; see `Notes.prune_notes`."""
        return await self._write(
            lambda connection: notes.prune(connection, written_before, now, limit)
        )

    def listen_to_return(self, listener: Callable[[], None]) -> None:
        """Have *listener* called when the store is back; see `Upkeep.listen_to_return`."""
        self._listeners.append(listener)

    async def _read(self, step: Step[T]) -> T:
        with measured(Operation.READ), self._noticing():
            return await self._database.read(step)

    async def _write(self, step: Step[T]) -> T:
        try:
            with measured(Operation.WRITE), self._noticing():
                result = await self._database.write(step)
        except StoreUnavailableError:
            self._refused_at = monotonic()
            raise
        self._refused_at = None
        return result

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Notice that the store is away, and that it is back."""
        try:
            yield
        except StoreUnavailableError:
            self._is_away = True
            raise
        if self._is_away:
            self._is_away = False
            for listener in self._listeners:
                listener()


@asynccontextmanager
async def open_store(url: str, *, connections: int = MAX_CONNECTIONS) -> AsyncIterator[SqlStore]:
    """Yield the store at *url*, with its schema brought up to date.

    Raises:
        StoreRefusedError: Its schema is newer than this program.
        StoreDeniedError: A person must act: there is no such database, or it is closed to us.
        StoreUnavailableError: It cannot be opened: the server is away, a folder is missing, a
            disk is full, it is locked.
        PermanentError: The URL cannot be used.
    """
    database = open_database(url, connections=connections)
    try:
        await database.prepare()
        yield SqlStore(database)
    finally:
        await database.close()


def _known(connection: sa.Connection, key: MessageKey) -> Message | None:
    row = connection.execute(statements.KNOWN, key_values(key)).one_or_none()
    return None if row is None else read_message(row)


def _stored(connection: sa.Connection, key: MessageKey) -> Message:
    return read_message(connection.execute(statements.KNOWN, key_values(key)).one())


def _record(connection: sa.Connection, message: Message, decide: Decide | None) -> Message:
    hold(connection, "conversation", *message.conversation)
    known = _known(connection, message.key)
    if known is not None:
        return known
    verdict = Verdict(message)
    if decide is not None:
        conversation = message.conversation
        scene = Scene(_endless(connection, conversation), talks.read_talk(connection, conversation))
        verdict = decide(scene)
    insert = statements.INSERT[connection.dialect.name]
    if not connection.execute(insert, message_values(verdict.message)).rowcount:
        return _stored(connection, message.key)  # in another conversation, at the same moment
    if verdict.talk is not None:
        talks.write_talk(connection, message.conversation, verdict.talk, message.recorded_at)
    _change(connection, verdict.changed)
    return verdict.message


def _change(connection: sa.Connection, changed: Sequence[Message]) -> Sequence[Message]:
    for message in changed:
        new = {f"new_{name}": value for name, value in changing_values(message).items()}
        connection.execute(statements.CHANGE, {**key_values(message.key), **new})
    return changed


def _endless(connection: sa.Connection, conversation: Conversation) -> list[Message]:
    values = {**conversation._asdict(), "limit": MAX_OPEN}
    return _read_all(connection, statements.ENDLESS, values)


def _execute(connection: sa.Connection, statement: sa.Executable, values: Values) -> None:
    connection.execute(statement, values)


def _read_all(connection: sa.Connection, query: sa.Select[Any], values: Values) -> list[Message]:
    return [read_message(row) for row in connection.execute(query, values)]
