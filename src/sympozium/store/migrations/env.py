"""Runs migrations over the connection, and in the transaction, that the caller hands in."""

from alembic import context

from sympozium.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
