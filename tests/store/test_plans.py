"""What costs the same with a million finished messages as with none."""

from typing import Any

import pytest
import sqlalchemy as sa

from sympozium.store import statements, talks
from sympozium.store.engine import create_engine
from sympozium.store.migrate import migrate

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
        (statements.HANDLED, {"low": 1, "high": 9}, "messages_by_sequence"),
    ],
)
def test_every_statement_finds_its_rows_by_an_index(
    store_url: str, statement: sa.Executable, values: dict[str, Any], index: str
) -> None:
    engine = create_engine(store_url)
    migrate(engine)
    with engine.begin() as connection:
        compiled = statement.compile(engine)  # type: ignore[attr-defined] # every statement has it
        bound = tuple(compiled.construct_params(values)[name] for name in compiled.positiontup)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", bound).all()
    engine.dispose()
    assert f"INDEX {index}" in " ".join(str(row) for row in plan)
