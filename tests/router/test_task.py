from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.channel import ChannelSpec, Route
from sympozium.contract.messages import FileRef, InboundMessage, Place, Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.store.ports import Message, Talk
from sympozium_router.inbox.choosing import agents_of, who_answers, without_call
from sympozium_router.runs.task import MAX_TASK_CHARS, files_of, fit_together, task_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def message(
    text: str, *, user: str = "ada", quoted: str = "", files: int = 0, agent: str = "helper"
) -> Message:
    refs = [
        FileRef(id=f"f{n}", owner="c", name=f"report {n}.pdf", size_bytes=9, parts=1)
        for n in range(files)
    ]
    inbound = InboundMessage(
        message_id=MessageId("m"),
        conversation=ConversationId("c"),
        sender=Sender(platform="slack", user_id=user, display_name=user.title()),
        text=text,
        time=NOW,
        quoted=quoted,
        files=refs,
    )
    return Message("n", "c", inbound, 1, NOW, agent=agent)


def test_a_plain_message_is_the_task() -> None:
    assert task_of([message("  which pods?\n")]) == "  which pods?\n"


def test_what_a_message_stands_in_reply_to_comes_first_and_is_marked() -> None:
    assert task_of([message("why?", quoted="pod web\nis down")]) == (
        "In reply to:\n> pod web\n> is down\n\nwhy?"
    )


def test_files_are_named_after_the_text() -> None:
    assert task_of([message("read it", files=1)]) == (
        "read it\n\nAttached:\n> report 0.pdf (application/octet-stream, 9 bytes)"
    )
    assert task_of([message("", files=1)]).startswith("Attached:\n> report")


@given(quoted=st.text(max_size=200), text=st.text(min_size=1, max_size=50))
def test_no_quotation_can_pass_for_what_the_person_says(quoted: str, text: str) -> None:
    task = task_of([message(text, quoted=quoted)])
    assert task.endswith(text)
    for line in task[: len(task) - len(text)].splitlines():
        assert line in {"", "In reply to:"} or line.startswith("> ")


@given(
    text=st.integers(0, 70_000).map(lambda n: "x" * n),
    quoted=st.integers(0, 9000).map(lambda n: "q" * n),
    files=st.integers(0, 10),
)
def test_a_task_is_never_longer_than_a_run_takes_and_keeps_the_persons_words(
    text: str, quoted: str, files: int
) -> None:
    task = task_of([message(text, quoted=quoted, files=files)])
    assert len(task) <= MAX_TASK_CHARS
    assert text[:MAX_TASK_CHARS] in task


def test_only_as_many_files_as_a_run_may_have_go_together() -> None:
    assert fit_together([message("a", files=6), message("b", files=4)])
    assert not fit_together([message("a", files=6), message("b", files=5)])
    assert len(files_of([message("a", files=8), message("b", files=8)])) == 10


SPEC = ChannelSpec(
    type="slack",
    agent_ref="helper",
    routes=[Route(agent_ref="ops", chat="C1"), Route(agent_ref="night", thread="T1")],
    agents=["coder", "helper"],
)


@pytest.mark.parametrize(
    ("text", "chat", "thread", "chosen", "answers"),
    [
        ("hello", "", "", "", "helper"),
        ("hello", "C1", "", "", "ops"),
        ("hello", "C1", "T1", "", "night"),
        ("hello", "C1", "T1", "coder", "coder"),
        ("hello", "C1", "", "unknown", "ops"),
        ("@coder fix it", "C1", "T1", "helper", "coder"),
        ("@Coder: fix it", "", "", "", "coder"),
        ("@nobody fix it", "", "", "", "helper"),
        ("ask @coder", "", "", "", "helper"),
        ("coder: fix it", "", "", "", "helper"),
        ("@coder", "", "", "", "coder"),
    ],
)
def test_who_is_called_answers_then_who_was_chosen_then_who_the_routes_name(
    text: str, chat: str, thread: str, chosen: str, answers: str
) -> None:
    inbound = InboundMessage(
        message_id=MessageId("m"),
        conversation=ConversationId("c"),
        sender=Sender(platform="slack", user_id="ada"),
        text=text,
        time=NOW,
        place=Place(chat=chat, thread=thread),
    )
    assert who_answers(inbound, SPEC, Talk(agent=chosen)) == answers


def test_every_agent_behind_a_channel_is_listed_once_its_own_first() -> None:
    assert agents_of(SPEC) == ["helper", "ops", "night", "coder"]


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("@coder fix it", "fix it"),
        ("@Coder,\nfix it", "fix it"),
        ("@coder", "@coder"),
        ("@other fix it", "@other fix it"),
        ("fix it @coder", "fix it @coder"),
        ("@coders fix it", "@coders fix it"),
    ],
)
def test_the_call_of_an_agent_is_no_part_of_its_task(text: str, task: str) -> None:
    assert without_call(text, "coder") == task
