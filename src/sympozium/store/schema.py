"""The tables, as SQLAlchemy Core writes and reads them. Migrations bring a database here."""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from typing_extensions import override

metadata = sa.MetaData()


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware time. SQLite keeps no zone, so what is stored is always UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* in UTC."""
        return None if value is None else value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* aware."""
        return None if value is None else value.replace(tzinfo=UTC)


# `letter` is an `InboundMessage` and `told` an `End`, as JSON.
messages = sa.Table(
    "messages",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("letter", sa.Text, nullable=False),
    sa.Column("recorded_at", UtcTime, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("run_name", sa.Text, nullable=False),
    sa.Column("run_uid", sa.Text, nullable=False),
    sa.Column("offered_to", sa.Text, nullable=False),
    sa.Column("carried_by", sa.Text, nullable=False),
    sa.Column("cut", sa.Text, nullable=False),
    sa.Column("begun_at", UtcTime),
    sa.Column("ended_at", UtcTime),
    sa.Column("told", sa.Text),
    sa.Column("input_tokens", sa.BigInteger, nullable=False),
    sa.Column("output_tokens", sa.BigInteger, nullable=False),
    sa.Column("outbox_sequence", sa.BigInteger, nullable=False),
)

sa.Index(
    "messages_by_conversation",
    messages.c.namespace,
    messages.c.channel,
    messages.c.conversation,
    messages.c.sequence,
)
sa.Index("messages_by_sequence", messages.c.sequence)
sa.Index("messages_by_run", messages.c.run_uid)

UNFINISHED = messages.c.outbox_sequence == sa.literal_column("0")
"""Written out, not bound: only so does a database see that the index is for this condition."""
sa.Index(
    "messages_unfinished",
    messages.c.namespace,
    messages.c.channel,
    messages.c.conversation,
    messages.c.sequence,
    sqlite_where=UNFINISHED,
    postgresql_where=UNFINISHED,
)
sa.Index("messages_by_end", messages.c.ended_at)

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("written_at", UtcTime, nullable=False),
)
sa.Index("notes_by_age", notes.c.written_at)
sa.Index("notes_by_channel", notes.c.namespace, notes.c.channel, notes.c.written_at)

claims = sa.Table(
    "claims",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("expires_at", UtcTime, nullable=False),
)
sa.Index("claims_by_age", claims.c.expires_at)

conversations = sa.Table(
    "conversations",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("conversation", sa.Text, primary_key=True),
    sa.Column("agent", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("left_at", sa.BigInteger, nullable=False),
    sa.Column("changed_at", UtcTime, nullable=False),
)
sa.Index("conversations_by_age", conversations.c.changed_at)

refusals = sa.Table(
    "refusals",
    metadata,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("sender", sa.Text, primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False),
    sa.Column("told_at", UtcTime, nullable=False),
)
sa.Index("refusals_by_age", refusals.c.told_at)
