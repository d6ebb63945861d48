"""Messages whole, as they came and as they ended; what was chosen for a conversation.

What was in columns of their own moves into two columns of JSON, so that a field of the
wire needs no column. It is read and written by page: a store may hold months.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

PAGE = 1000
MOVED = (
    "platform",
    "workspace",
    "user_id",
    "display_name",
    "text",
    "sent_at",
    "reply",
    "error_code",
    "error_message",
)
KEY = ("namespace", "channel", "message_id")


def upgrade() -> None:
    """Move the columns of messages, and create the tables of conversations and of refusals."""
    op.add_column("messages", sa.Column("letter", sa.Text, nullable=False, server_default="{}"))
    op.add_column("messages", sa.Column("told", sa.Text))
    for name in ("offered_to", "carried_by", "cut"):
        op.add_column("messages", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("messages", sa.Column("begun_at", sa.DateTime(timezone=True)))
    for name in ("input_tokens", "output_tokens"):
        column = sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        op.add_column("messages", column)
    _move()
    for name in MOVED:
        op.drop_column("messages", name)
    op.create_table(
        "conversations",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("conversation", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("left_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("conversations_by_age", "conversations", ["changed_at"])
    op.create_table(
        "refusals",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("sender", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("refusals_by_age", "refusals", ["told_at"])


def _move() -> None:
    connection = op.get_bind()
    names = (*KEY, "conversation", "ended_at", *MOVED)
    old = sa.table("messages", *(sa.column(name) for name in (*names, "letter", "told")))
    for name in ("sent_at", "ended_at"):
        old.c[name].type = sa.DateTime(timezone=True)
    key = [old.c[name] for name in KEY]
    after: Sequence[str] | None = None
    while True:
        page = sa.select(*(old.c[name] for name in names)).order_by(*key).limit(PAGE)
        if after is not None:
            page = page.where(sa.tuple_(*key) > sa.tuple_(*(sa.literal(part) for part in after)))
        rows = connection.execute(page).all()
        for row in rows:
            here = sa.and_(*(old.c[name] == getattr(row, name) for name in KEY))
            values = {"letter": _letter(row), "told": _told(row)}
            connection.execute(sa.update(old).where(here).values(values))
        if len(rows) < PAGE:
            return
        after = [getattr(rows[-1], name) for name in KEY]


def _letter(row: sa.Row[Any]) -> str:
    sender = {
        "platform": row.platform,
        "userId": row.user_id,
        "workspace": row.workspace,
        "displayName": row.display_name,
    }
    letter = {
        "messageId": row.message_id,
        "conversation": row.conversation,
        "sender": sender,
        "text": row.text,
        "time": _utc(row.sent_at),
    }
    return msgspec.json.encode(letter).decode()


def _told(row: sa.Row[Any]) -> str | None:
    if row.ended_at is None:
        return None
    told: dict[str, Any] = {"time": _utc(row.ended_at), "text": row.reply}
    if row.error_code is not None:
        told["error"] = {"code": row.error_code, "message": row.error_message}
    return msgspec.json.encode(told).decode()


def _utc(moment: Any) -> str:
    return f"{moment.replace(tzinfo=None).isoformat()}Z"
