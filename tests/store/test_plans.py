"""What costs the same with a million finished messages as with none."""

from typing import Any

import pytest
import sqlalchemy as sa

from sympozium.store import statements, talks
from sympozium.store.kinds import open_database

CONVERSATION = {"namespace": "n", "channel": "c", "conversation": "t"}
KEY = {"key_namespace": "n", "key_channel": "c", "key_message_id": "m"}


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (statements.KNOWN, KEY, "sqlite_autoindex_messages_1"),
        (statements.STARTED, {**KEY, "new_run_uid": "u"}, "sqlite_autoindex_messages_1"),
        (statements.IS_UNPUBLISHED, KEY, "sqlite_autoindex_messages_1"),
        (statements.OPEN_TALKS, {}, "messages_unfinished"),
        (statements.OPEN, {**CONVERSATION, "limit": 1}, "messages_unfinished"),
        (statements.ENDLESS, {**CONVERSATION, "limit": 1}, "messages_unfinished"),
        (statements.WAITING_BEFORE, {**CONVERSATION, "before": 9}, "messages_unfinished"),
        (
            statements.RUN_OF,
            {"namespace": "n", "channel": "c", "run_uid": "u"},
            "messages_by_run",
        ),
        (statements.USAGE, {**CONVERSATION, "since": 0}, "messages_by_conversation"),
        (statements.LAST_END, {**CONVERSATION, "before": 9}, "messages_by_conversation"),
        (
            statements.TRANSCRIPT,
            {**CONVERSATION, "before": 9, "since": 0, "limit": 9},
            "messages_by_conversation",
        ),
        (
            talks.TALK,
            {"key_namespace": "n", "key_channel": "c", "key_conversation": "t"},
            "sqlite_autoindex_conversations_1",
        ),
        (statements.HANDLED, {"low": 1, "high": 9, "namespace": ""}, "messages_by_sequence"),
    ],
)
async def test_every_statement_finds_its_rows_by_an_index(
    store_url: str, statement: sa.Executable, values: dict[str, Any], index: str
) -> None:
    database = open_database(store_url, connections=1)
    try:
        await database.prepare()
        plan = await database.write(lambda connection: plan_of(connection, statement, values))
    finally:
        await database.close()
    if store_url.startswith("postgresql"):
        assert POSTGRESQL.get(index, index) in plan
    else:
        assert f"INDEX {index}" in plan


POSTGRESQL = {
    "sqlite_autoindex_messages_1": "messages_pkey",
    "sqlite_autoindex_conversations_1": "conversations_pkey",
}

MANY = """
WITH many AS (
    INSERT INTO messages (
        namespace, channel, message_id, conversation, sequence, letter, recorded_at, agent,
        run_name, run_uid, ended_at, outbox_sequence
    )
    SELECT 'n', 'c', 'm' || n, 't' || n % 500, n, '{}', now(), '', '',
        CASE WHEN n % 3 = 0 THEN '' ELSE 'u' || n END,
        CASE WHEN n > 40 THEN now() END, CASE WHEN n > 40 THEN n ELSE 0 END
    FROM generate_series(1, 20000) AS n
)
INSERT INTO conversations
SELECT 'n', 'c', 't' || n, '', '', 0, 0, now() FROM generate_series(1, 5000) AS n
"""


def plan_of(connection: sa.Connection, statement: sa.Executable, values: dict[str, Any]) -> str:
    """Return how the database would find the rows if there were many."""
    is_sqlite = connection.dialect.name == "sqlite"
    if not is_sqlite:  # it decides by what is there
        connection.exec_driver_sql(MANY)
        connection.exec_driver_sql("ANALYZE messages, conversations")
    compiled = statement.compile(connection)  # type: ignore[attr-defined] # every statement has it
    bound = tuple(compiled.construct_params(values)[name] for name in compiled.positiontup or ())
    explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
    rows = connection.exec_driver_sql(f"{explain} {compiled}", bound).all()
    return " ".join(str(row) for row in rows)
