"""Messages and their ends."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table of messages."""
    op.create_table(
        "messages",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("message_id", sa.Text, primary_key=True),
        sa.Column("conversation", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("workspace", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("run_name", sa.Text, nullable=False),
        sa.Column("run_uid", sa.Text, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("reply", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("outbox_sequence", sa.BigInteger, nullable=False),
    )
    conversation = ["namespace", "channel", "conversation"]
    op.create_index("messages_by_conversation", "messages", [*conversation, "sequence"])
    op.create_index("messages_by_sequence", "messages", ["sequence"])
    unfinished = sa.text("outbox_sequence = 0")
    op.create_index(
        "messages_unfinished",
        "messages",
        [*conversation, "sequence"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index("messages_by_end", "messages", ["ended_at"])
