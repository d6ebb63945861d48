"""The session store over SQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sympozium.contract.desk import NotesAnswer, NotesRequest
from sympozium.contract.limits import TOMBSTONE_AGE
from sympozium.contract.messages import InboundMessage, Sender, VisibleError
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.store import notes, statements
from sympozium.store.engine import READING, WRITING, create_engine
from sympozium.store.lane import Lane
from sympozium.store.migrate import migrate
from sympozium.store.ports import (
    ChannelKey,
    Conversation,
    End,
    Message,
    MessageKey,
    StoreUnavailableError,
)

Values = dict[str, Any]


class SqlStore:
    """A `SessionStore`. Made by `open_store`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._writes = Lane(engine.execution_options(**WRITING), "store-write")
        self._reads = Lane(engine.execution_options(**READING), "store-read")

    async def record(self, message: Message) -> Message:
        """Store *message* unless its key is there; see `Messages.record`."""
        return await self._writes.run(lambda connection: _record(connection, message))

    async def started(self, key: MessageKey, run_uid: RunUid) -> None:
        """Note that the run exists; see `Messages.started`."""
        values = {**_key(key), "new_run_uid": run_uid}
        await self._writes.run(lambda connection: _execute(connection, statements.STARTED, values))

    async def finish(self, key: MessageKey, end: End) -> Message:
        """Note the end; see `Messages.finish`."""
        parameters = _key(key)
        values = {f"new_{name}": value for name, value in _end_values(end).items()}

        def step(connection: sa.Connection) -> Message:
            connection.execute(statements.FINISH, {**parameters, **values})
            return _read(connection.execute(statements.KNOWN, parameters).one())

        return await self._writes.run(step)

    async def published(self, key: MessageKey, outbox_sequence: int) -> None:
        """Note that the end was published; see `Messages.published`."""
        values = {**_key(key), "new_outbox_sequence": outbox_sequence}
        await self._writes.run(
            lambda connection: _execute(connection, statements.PUBLISHED, values)
        )

    async def open_conversations(self) -> list[Conversation]:
        """Return conversations with work left; see `Unfinished.open_conversations`."""
        rows = await self._reads.run(
            lambda connection: connection.execute(statements.OPEN_TALKS).all()
        )
        return [Conversation(row[0], row[1], ConversationId(row[2])) for row in rows]

    async def open_messages(self, conversation: Conversation, *, limit: int) -> list[Message]:
        """Return the first unfinished messages; see `Unfinished.open_messages`."""
        values = {**conversation._asdict(), "limit": limit}
        return await self._reads.run(
            lambda connection: _read_all(connection, statements.OPEN, values)
        )

    async def last_end(self, conversation: Conversation, before: int) -> datetime | None:
        """Return the latest end before a message; see `Unfinished.last_end`."""
        values = {**conversation._asdict(), "before": before}
        return await self._reads.run(
            lambda connection: connection.execute(statements.LAST_END, values).scalar()
        )

    async def handled(self, low: int, high: int) -> set[int]:
        """Return the sequences that need nothing of INBOX; see `Unfinished.handled`."""
        values = {"low": low, "high": high}
        return await self._reads.run(
            lambda connection: set(connection.execute(statements.HANDLED, values).scalars())
        )

    async def transcript(
        self, conversation: Conversation, *, limit: int, before: int | None = None
    ) -> list[Message]:
        """Return what was said; see `Transcripts.transcript`."""
        upper = statements.LAST_SEQUENCE if before is None else before
        values = {**conversation._asdict(), "before": upper, "limit": limit}
        newest_first = await self._reads.run(
            lambda connection: _read_all(connection, statements.TRANSCRIPT, values)
        )
        return newest_first[::-1]

    async def is_run_of(self, channel: ChannelKey, uid: RunUid) -> bool:
        """Return whether a run answered a message of a channel; see `Transcripts.is_run_of`."""
        values = {**channel._asdict(), "run_uid": uid}
        found = await self._reads.run(
            lambda connection: connection.execute(statements.RUN_OF, values).scalar()
        )
        return bool(uid) and found is not None

    async def check(self) -> None:
        """Return if the store answers; see `Upkeep.check`."""
        await self._reads.run(lambda connection: _execute(connection, sa.select(1), {}))

    async def prune(self, *, ended_before: datetime, limit: int) -> int:
        """Delete old messages; see `Upkeep.prune`."""
        if datetime.now(UTC) - ended_before < TOMBSTONE_AGE:
            raise ValueError(f"a message must be kept for {TOMBSTONE_AGE}, to be known again")
        values = {"ended_before": ended_before, "limit": limit}
        return await self._writes.run(
            lambda connection: connection.execute(statements.PRUNE, values).rowcount
        )

    async def note(self, owner: ChannelKey, request: NotesRequest, *, now: datetime) -> NotesAnswer:
        """Keep, read and claim; see `Notes.note`."""
        lane = self._writes if request.put or request.claim else self._reads
        return await lane.run(lambda connection: notes.note(connection, owner, request, now))

    async def trim_notes(self, owner: ChannelKey, *, most: int) -> int:
        """Delete the oldest notes; see `Notes.trim_notes`."""
        return await self._writes.run(lambda connection: notes.trim(connection, owner, most))

    async def prune_notes(self, *, written_before: datetime, now: datetime, limit: int) -> int:
        """Delete old notes; see `Notes.prune_notes`."""
        return await self._writes.run(
            lambda connection: notes.prune(connection, written_before, now, limit)
        )

    def close(self) -> None:
        """Finish what waits and end the threads."""
        self._writes.close()
        self._reads.close()


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[SqlStore]:
    """Yield the store at *url*, with its schema brought up to date.

    Raises:
        StoreRefusedError: Its schema is newer than this program.
        StoreUnavailableError: It cannot be opened: a missing folder, a full disk, a lock.
        PermanentError: The URL cannot be used.
    """
    engine = create_engine(url)
    try:
        await asyncio.to_thread(migrate, engine)
    except sa.exc.DBAPIError as error:
        raise StoreUnavailableError(
            f"cannot open the session store {engine.url.database!r}: {error.orig}; "
            "does its folder exist, and may this program write there?"
        ) from None
    store = SqlStore(engine)
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)
        engine.dispose()


def _record(connection: sa.Connection, message: Message) -> Message:
    row = connection.execute(statements.KNOWN, _key(message.key)).one_or_none()
    if row is not None:
        return _read(row)
    connection.execute(statements.INSERT, _values(message))
    return message


def _execute(connection: sa.Connection, statement: sa.Executable, values: Values) -> None:
    connection.execute(statement, values)


def _key(key: MessageKey) -> Values:
    return {
        "key_namespace": key.namespace,
        "key_channel": key.channel,
        "key_message_id": key.message_id,
    }


def _values(message: Message) -> Values:
    inbound = message.inbound
    return {
        "namespace": message.namespace,
        "channel": message.channel,
        "message_id": inbound.message_id,
        "conversation": inbound.conversation,
        "sequence": message.sequence,
        "platform": inbound.sender.platform,
        "workspace": inbound.sender.workspace,
        "user_id": inbound.sender.user_id,
        "display_name": inbound.sender.display_name,
        "text": inbound.text,
        "sent_at": inbound.time,
        "recorded_at": message.recorded_at,
        "agent": message.agent,
        "run_name": message.run_name,
        "run_uid": message.run_uid,
        "outbox_sequence": message.outbox_sequence,
        **(statements.NO_END if message.end is None else _end_values(message.end)),
    }


def _end_values(end: End) -> Values:
    error = end.error
    return {
        "ended_at": end.time,
        "reply": end.text,
        "error_code": error.code if error else None,
        "error_message": error.message if error else None,
    }


def _read_all(connection: sa.Connection, query: sa.Select[Any], values: Values) -> list[Message]:
    return [_read(row) for row in connection.execute(query, values)]


def _read(row: sa.Row[Any]) -> Message:
    sender = Sender(
        platform=row.platform,
        user_id=row.user_id,
        workspace=row.workspace,
        display_name=row.display_name,
    )
    inbound = InboundMessage(
        message_id=MessageId(row.message_id),
        conversation=ConversationId(row.conversation),
        sender=sender,
        text=row.text,
        time=row.sent_at,
    )
    return Message(
        namespace=row.namespace,
        channel=row.channel,
        inbound=inbound,
        sequence=row.sequence,
        recorded_at=row.recorded_at,
        agent=row.agent,
        run_name=RunName(row.run_name),
        run_uid=RunUid(row.run_uid),
        end=_read_end(row),
        outbox_sequence=row.outbox_sequence,
    )


def _read_end(row: sa.Row[Any]) -> End | None:
    if row.ended_at is None:
        return None
    error = None
    if row.error_code is not None:
        error = VisibleError(code=row.error_code, message=row.error_message)
    return End(time=row.ended_at, text=row.reply, error=error)
