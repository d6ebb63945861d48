"""A store in a file of its own, and messages to put into it."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sympozium.contract.messages import InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId, RunName
from sympozium.store import postgresql
from sympozium.store.ports import Message
from sympozium.store.sql import SqlStore, open_store

NewMessage = Callable[..., Message]


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind."""
    name = "sqlite_url" if request.param == "sqlite" else "postgresql_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/router.db"


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(store_url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def patient_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a server and its users bear with a machine that stops for seconds in a transaction.

    A test of one of these limits sets it for itself.
    """
    for limit in ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout"):
        monkeypatch.setitem(postgresql._SETTINGS, limit, "15s")
    for limit in ("CONNECT_TIMEOUT_S", "TURN_TIMEOUT_S", "STEP_TIMEOUT_S"):
        monkeypatch.setattr(postgresql, limit, 20.0)


@pytest.fixture
def new_message() -> NewMessage:
    """Build a message; by default the first of conversation `c`, with a run."""

    def build(
        sequence: int = 1, message_id: str = "", conversation: str = "c", text: str = "hello"
    ) -> Message:
        moment = datetime(2026, 3, 1, 12, 0, sequence % 60, 250_000, tzinfo=UTC)
        return Message(
            namespace="default",
            channel="web",
            inbound=InboundMessage(
                message_id=MessageId(message_id or f"m{sequence}"),
                conversation=ConversationId(conversation),
                sender=Sender(platform="web", user_id="ada", display_name="Ada"),
                text=text,
                time=moment,
            ),
            sequence=sequence,
            recorded_at=moment,
            agent="helper",
            run_name=RunName(f"web-{sequence}"),
        )

    return build
