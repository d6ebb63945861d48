"""What comes from INBOX, OUTBOX and RUNS: read, or refused, and never a surprise."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from sympozium.contract.agentrun import Source
from sympozium.contract.envelope import unwrap, wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_TEXT_BYTES
from sympozium.contract.messages import (
    Choice,
    Command,
    FileRef,
    InboundKind,
    InboundMessage,
    OutboundKind,
    OutboundMessage,
    Place,
    Sender,
    VisibleError,
)
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid, run_name
from sympozium.contract.new_run import build_run
from sympozium.contract.run_events import (
    Absorbed,
    Delta,
    Failure,
    Progress,
    Result,
    RunEvent,
    Started,
    Steering,
    Usage,
    record,
    recorded_event,
)
from sympozium.store.ports import Message
from sympozium_controller.runs import status as statuses
from sympozium_controller.runs.endings import Ending
from sympozium_router.inbox.letters import Letter, read_letter
from sympozium_router.outbox.ends import failed_end, outbound_end, outcome_of
from sympozium_router.runs.task import task_of
from tests.controller.worlds import a_run
from tests.fuzz.hostile import hostile_bytes
from tests.fuzz.kinds import complaints_about

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILE = FileRef(id="f1", owner="web", name="a.txt", media_type="text/plain", size_bytes=5, parts=1)

INBOUND = InboundMessage(
    message_id=MessageId("slack:T1:C1:1700000000.000100"),
    conversation=ConversationId("slack:T1:C1:1700000000.000100"),
    sender=Sender(platform="slack", user_id="U1", workspace="T1", display_name="Ada", groups=["g"]),
    text="which pods run here?",
    time=NOW,
    place=Place(chat="C1", thread="1700000000.000100"),
    reply_to='{"ts":"1700000000.000100"}',
    quoted="> earlier",
    files=[FILE],
)
COMMAND = InboundMessage(
    message_id=MessageId("web:default/web:c:1"),
    conversation=ConversationId("c"),
    sender=Sender(platform="web", user_id="owner"),
    text="/model m",
    time=NOW,
    kind=InboundKind.COMMAND,
    command=Command(name="model", arguments="m"),
)
CHANGE = InboundMessage(
    message_id=MessageId("m:edit:1"),
    conversation=ConversationId("c"),
    sender=Sender(platform="telegram", user_id="7"),
    text="better",
    time=NOW,
    kind=InboundKind.EDIT,
    target=MessageId("m"),
)
OUTBOUND = OutboundMessage(
    kind=OutboundKind.FINAL,
    message_id=MessageId("m"),
    conversation=ConversationId("c"),
    run_name=RunName("web-abc"),
    run_uid=RunUid("11111111-2222-3333-4444-555555555555"),
    agent="helper",
    text="**three** pods",
    error=VisibleError(code="Internal", message="Something went wrong. (web-abc)"),
    reply_to="{}",
    files=[FILE],
    choices=[Choice(label="Stop", command=Command(name="stop"))],
)
OWN_FILE = FileRef(id="f1", owner=a_run().uid, name="a.txt", size_bytes=5, parts=1)
FLOOD = Result(
    text="x",
    usage=Usage(input_tokens=2**70, output_tokens=-1),
    files=[msgspec.structs.replace(OWN_FILE, name="x" * 99_000)] * 10,
)
EVENTS: list[RunEvent] = [
    Started(),
    Delta(text="a", offset=0),
    Progress(call_id="u/1", tool="list_pods", state="done"),
    Absorbed(message_id=MessageId("m2")),
    Result(text="three pods", usage=Usage(input_tokens=10, output_tokens=3), files=[OWN_FILE]),
    Failure(reason="ModelTimeout", detail="no token for 30 s", usage=Usage(input_tokens=1)),
]
STEERING = Steering(message_id=MessageId("m2"), text="and jobs?", files=[FILE])

inbound_data = hostile_bytes([wrap(one, id="i", time=NOW) for one in (INBOUND, COMMAND, CHANGE)])
outbound_data = hostile_bytes([wrap(OUTBOUND, id="o", time=NOW)])
event_data = hostile_bytes([record(one, id="u/1", time=NOW) for one in EVENTS])
steering_data = hostile_bytes([wrap(STEERING, id="s", time=NOW)])
subjects = st.sampled_from(["inbox.default.web"] * 8 + ["inbox.default", "", "inbox.a.b.c", "x.>"])

AGENT = {
    "metadata": {"name": "helper", "namespace": "default"},
    "spec": {"agents": {"default": {"model": "m"}}},
}


@given(subject=subjects, data=inbound_data)
def test_any_inbox_message_is_a_letter(subject: str, data: bytes) -> None:
    letter = read_letter(subject, 1, data)
    assert letter.inbound is not None or letter.problem
    if letter.inbound is not None:
        end = failed_end(_row(letter, letter.inbound), "MessageUnreadable", now=NOW)
        assert end.error is not None


@given(data=inbound_data)
def test_a_good_letter_makes_a_run_that_the_api_server_takes(data: bytes) -> None:
    letter = read_letter("inbox.default.web", 1, data)
    if letter.inbound is None or letter.problem:
        return
    inbound = letter.inbound
    assert len(inbound.text.encode()) <= MAX_TEXT_BYTES
    source = Source(
        channel="web",
        conversation=inbound.conversation,
        message_id=inbound.message_id,
        sequence=1,
        sender=inbound.sender,
    )
    name = run_name("web", inbound.message_id)
    task = task_of([_row(letter, inbound)])
    if task.strip():
        assert complaints_about(build_run(AGENT, name=name, task=task, source=source)) == []


@given(data=outbound_data)
def test_any_outbox_message_is_read_or_refused(data: bytes) -> None:
    message = read(data, OutboundMessage)
    assert message is None or read(wrap(message, id="o", time=NOW), OutboundMessage) == message


@given(data=steering_data)
def test_anything_that_is_handed_to_a_run_is_read_or_refused(data: bytes) -> None:
    steering = read(data, Steering)
    assert steering is None or wrap(steering, id="s", time=NOW)


@given(data=event_data)
@example(record(FLOOD, id="u/1", time=NOW))
def test_whatever_a_run_says_has_a_status_that_the_api_server_takes_and_an_end(
    data: bytes,
) -> None:
    try:
        event = recorded_event(data)
    except PermanentError:
        return
    if not isinstance(event, Result | Failure):
        return
    facts = statuses.Facts(run=a_run(), now=NOW, started=NOW, model="m", has_job=True)
    status = statuses.to_object(statuses.ended(facts, Ending(event, sequence=7)))
    run = build_run(AGENT, name="web-abc", task="hello")
    run["metadata"]["uid"] = a_run().uid
    assert complaints_about({**run, "status": status}) == []
    assert all(abs(count) < 2**63 for count in (status.get("usage") or {}).values())
    outcome = outcome_of({**run, "status": status})
    assert outcome is not None
    if outcome.reason is not None:
        letter = Letter(1, "default", "web", INBOUND)
        end = failed_end(_row(letter, INBOUND), outcome.reason, now=NOW, rule=outcome.rule)
        message = _row(letter, INBOUND, end=end)
        assert outbound_end(message)[1].error is not None


def read(data: bytes, kind: Any) -> Any:
    """Return what *data* holds; None: it was refused as it should be."""
    try:
        return unwrap(data, kind)
    except PermanentError:
        return None


def _row(letter: Letter, inbound: InboundMessage, **fields: Any) -> Message:
    return Message(
        letter.namespace,
        letter.channel,
        inbound,
        letter.sequence,
        recorded_at=NOW,
        agent="helper",
        run_name=RunName("web-abc"),
        run_uid=RunUid("u"),
        **fields,
    )
