"""Journal lines, in every direction: the containers of a run do not trust each other."""

import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.envelope import encode
from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES, MAX_RESULT_BYTES
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    Failure,
    ModelAccess,
    Result,
    RunContext,
    ToolAnswer,
    ToolCall,
    record,
)
from sympozium_agent.file_names import shown_name
from sympozium_agent.inbox import Inbox
from sympozium_agent.journal import JournalReader, JournalWriter, Line
from sympozium_agent.layout import IpcLayout
from sympozium_agent.loop import read_arguments
from sympozium_agent.recorded import RecordedFile
from sympozium_agent.recorder import read_event
from sympozium_agent.steering import Told
from sympozium_agent.tool_runner import answered_calls, read_call
from tests.fuzz.hostile import hostile_bytes
from tests.fuzz.test_bus_readers import EVENTS, NOW, STEERING

CONTEXT = RunContext(
    run_name=RunName("web-abc"),
    run_uid=RunUid("u"),
    task="hello",
    model=ModelAccess(provider="openai", model="m"),
    steered=[STEERING],
)
CALL = ToolCall(call_id="u/1", tool="list_pods", arguments={})
ANSWER = ToolAnswer(call_id="u/1", text="three pods")

out_lines = hostile_bytes([encode(event) for event in EVENTS])
in_lines = hostile_bytes([encode(CONTEXT), encode(STEERING), encode(Failure(reason="Internal"))])
tool_lines = hostile_bytes([encode(CALL), encode(ANSWER)])


def line_of(data: bytes) -> Line:
    """Return *data* as a journal would hand it out: of it, the first line."""
    first = data.partition(b"\n")[0]
    return Line(0, len(first) + 1, first)


@contextmanager
def journal(*lines: bytes) -> Iterator[Path]:
    """Have a journal of these bytes while the block lasts."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "lines.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n")
        yield path


@given(data=out_lines)
def test_whatever_an_agent_writes_fits_the_bus_or_is_refused(data: bytes) -> None:
    event = read_event(line_of(data))
    if event is None:
        return
    assert len(record(event, id="u/1", time=NOW)) <= 1024 * 1024
    if isinstance(event, Failure):
        assert event.reason in set(Reason)
    if isinstance(event, Result):
        assert len(event.text.encode()) <= MAX_RESULT_BYTES


@given(pieces=st.lists(out_lines, max_size=4))
def test_a_journal_of_any_bytes_is_read_to_its_end_within_its_bounds(pieces: list[bytes]) -> None:
    with journal(*pieces) as path, closing(JournalReader(path, max_line_bytes=500)) as reader:
        end = 0
        while line := reader.next_line():
            assert (line.offset, len(line.data) <= 500) == (end, True)
            end = line.end
        assert end == path.stat().st_size


@given(data=in_lines)
def test_whatever_is_in_an_agents_inbox_is_taken_or_passed_over(data: bytes) -> None:
    with TemporaryDirectory() as directory:
        layout = IpcLayout(Path(directory))
        layout.to_agent.write_bytes(data + b"\n")
        told = Told(layout.to_agent)
        with closing(Inbox(CONTEXT, layout, offset=0)) as inbox:
            came = inbox.take()
    assert len({one.message_id for one in came}) == len(came)
    assert told.is_briefed in {True, False}


@given(data=tool_lines)
def test_whatever_is_asked_of_a_tool_has_an_answer_that_fits_its_journal(data: bytes) -> None:
    call = read_call(line_of(data))
    if call is not None:
        with journal() as path, closing(JournalWriter(path)) as answers:
            answers.append(encode(ToolAnswer(call_id=call.call_id, text="x" * 1000)))
            assert call.call_id in answered_calls(path)


def test_a_call_whose_answer_would_fit_no_line_is_none() -> None:
    call = ToolCall(call_id="x" * (MAX_JOURNAL_LINE_BYTES - 100), tool="list_pods")
    assert read_call(line_of(encode(call))) is None


@given(data=hostile_bytes([b'{"offset": 17, "is_ended": false}']))
def test_what_a_bridge_kept_is_read_or_begun_anew(data: bytes) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "recorded"
        path.write_bytes(data)
        assert RecordedFile(path).read().offset >= 0


@given(data=hostile_bytes([b'{"namespace": "default", "selector": "app=web"}']))
def test_any_arguments_of_a_model_are_one_line_or_none(data: bytes) -> None:
    arguments = read_arguments(data.decode(errors="replace"))
    assert arguments is None or b"\n" not in encode(arguments)


@pytest.mark.parametrize("id", ["../../etc/passwd", "..", "/etc/passwd", "a/b", "a\0b", "\n", ""])
def test_no_id_of_a_call_is_a_path(id: str) -> None:
    """Ids are compared and written, and never opened (attack 26)."""
    call = read_call(line_of(encode(ToolCall(call_id=id, tool="list_pods"))))
    assert call is not None
    assert shown_name(id) not in {"", ".", ".."}


def test_a_line_of_any_length_costs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)  # sparse: zeros without a newline
        file.seek(0, 2)
        file.write(b"\n" + encode(EVENTS[0]) + b"\n")
    tracemalloc.start()
    with closing(JournalReader(path)) as reader:
        first, second = reader.next_line(), reader.next_line()
    assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    tracemalloc.stop()
    assert first is not None
    assert (first.is_too_long, first.data) == (True, b"")
    assert second is not None
    assert second.data == encode(EVENTS[0])
    assert read_event(first) == Failure(
        reason=Reason.RESULT_TOO_LARGE,
        detail=f"the journal has a line of more than {MAX_JOURNAL_LINE_BYTES} bytes",
    )
