"""Dead letters as an operator meets them at the command line of a running system."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.envelope import wrap
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId
from sympozium.contract.subjects import INBOX, OUTBOX, inbox, outbox, reply_prefix
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person
from tests.fixtures.system import System
from tests.scenario.acting import token_of

NAMESPACE, CHANNEL = "default", "web"


@asynccontextmanager
async def as_channel(kube: Kube, system: System) -> AsyncIterator[NatsBus]:
    """Connect to the bus with the rights of the web channel."""
    token_file = await token_of(kube, system, "channel", "nats")
    prefix = reply_prefix("channel", NAMESPACE, CHANNEL)
    address = Address(system.bus_url, "channel", prefix, token=token_file.read_text)
    async with connect(address) as bus:
        yield bus


async def bury(bus: NatsBus, stream: str, subject: str, data: bytes) -> None:
    now = datetime.now(UTC)
    id_ = f"{stream}/{now.isoformat()}"
    letter = DeadLetter(stream, subject, 0, "a test", 1, now, len(data), known_as=id_)
    await bus.bury(letter, data)


def listed(system: System, *filters: str) -> list[dict[str, str]]:
    answer = system.sympozium("dead", "list", "--json", *filters)
    assert answer.returncode == 0, answer.stderr
    found: list[dict[str, str]] = json.loads(answer.stdout)
    return found


@pytest.mark.timeout(120)
async def test_an_operator_lists_shows_sends_again_and_drops_what_was_given_up(
    system: System, person: Person, kube: Kube
) -> None:
    said = await person.say("dead", "hello")
    await person.end_of("dead", said)
    message = OutboundMessage(
        kind=OutboundKind.FINAL,
        message_id=MessageId("refused"),
        conversation=ConversationId("dead"),
        text="sent again",
    )
    answer = wrap(message, id="refused/end", time=datetime.now(UTC))
    async with as_channel(kube, system) as bus, person.events("dead") as events:
        await bus.publish(inbox(NAMESPACE, CHANNEL), b"no envelope", message_id="broken")
        await bury(bus, OUTBOX, outbox(NAMESPACE, CHANNEL), answer)
        while len(found := listed(system, "--name", CHANNEL)) < 2:
            pass
        by_stream = {one["stream"]: str(one["id"]) for one in found}
        shown = system.sympozium("dead", "show", by_stream[INBOX])
        assert "no envelope" in shown.stdout
        assert "cannot decode an envelope" in shown.stdout

        refused = system.sympozium("dead", "retry", by_stream[INBOX])
        assert (refused.returncode, "NOT DONE" in refused.stderr) == (1, True)
        done = system.sympozium("dead", "retry", by_stream[OUTBOX])
        assert done.returncode == 0, done.stderr
        async for event in events:
            if event.data.get("text") == "sent again":
                break

        assert system.sympozium("dead", "drop", by_stream[INBOX]).returncode == 2
        dropped = system.sympozium("dead", "drop", "--all", "--name", CHANNEL, "--yes")
        assert dropped.returncode == 0, dropped.stderr
        assert listed(system) == []
        gone = system.sympozium("dead", "show", by_stream[INBOX])
    assert gone.returncode == 1
    assert "there is none" in gone.stderr
    assert len(gone.stderr.splitlines()) == 1
