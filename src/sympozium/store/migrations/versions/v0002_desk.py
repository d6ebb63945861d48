"""Notes and claims of channels; messages found by their run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables of notes and claims, and an index."""
    op.create_index("messages_by_run", "messages", ["run_uid"])
    op.create_table(
        "notes",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("notes_by_age", "notes", ["written_at"])
    op.create_index("notes_by_channel", "notes", ["namespace", "channel", "written_at"])
    op.create_table(
        "claims",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("claims_by_age", "claims", ["expires_at"])
