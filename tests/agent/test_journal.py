import asyncio
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import MAX_JOURNAL_LINE_BYTES
from sympozium_agent import follow as follow_module
from sympozium_agent.follow import follow
from sympozium_agent.journal import (
    READ_CHUNK_BYTES,
    JournalReader,
    JournalRefusedError,
    JournalWriter,
    Line,
)

LINES = st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"")), max_size=12)


@contextmanager
def empty_journal() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out.jsonl"
        path.touch()
        yield path


def read_all(path: Path, *, offset: int = 0, max_line_bytes: int = 1000) -> list[Line]:
    with closing(JournalReader(path, offset=offset, max_line_bytes=max_line_bytes)) as reader:
        return list(iter(reader.next_line, None))


def write(path: Path, *lines: bytes) -> None:
    with closing(JournalWriter(path)) as journal:
        for line in lines:
            journal.append(line)


@given(lines=LINES)
def test_what_is_appended_is_read_in_order(lines: list[bytes]) -> None:
    with empty_journal() as path:
        write(path, *lines)
        assert [line.data for line in read_all(path)] == lines


@given(lines=LINES, cuts=st.lists(st.integers(min_value=1, max_value=30), min_size=1))
def test_a_reader_sees_each_line_once_however_the_bytes_arrive(
    lines: list[bytes], cuts: list[int]
) -> None:
    content = b"".join(line + b"\n" for line in lines)
    seen: list[bytes] = []
    with (
        empty_journal() as path,
        path.open("ab", buffering=0) as file,
        closing(JournalReader(path)) as reader,
    ):
        position = turn = 0
        while position < len(content):
            size = cuts[turn % len(cuts)]
            file.write(content[position : position + size])
            position, turn = position + size, turn + 1
            seen += [line.data for line in iter(reader.next_line, None)]
            assert seen == content[:position].split(b"\n")[:-1]
    assert seen == lines


@given(lines=LINES, data=st.data())
def test_reading_goes_on_from_the_end_of_any_line_without_loss_or_repetition(
    lines: list[bytes], data: st.DataObject
) -> None:
    with empty_journal() as path:
        write(path, *lines)
        first = read_all(path)
        stop = data.draw(st.integers(min_value=0, max_value=len(first)))
        offset = first[stop - 1].end if stop else 0
        assert read_all(path, offset=offset) == first[stop:]


@given(lines=LINES, torn=st.binary(min_size=1, max_size=20).filter(lambda b: b"\n" not in b))
def test_a_torn_line_spoils_no_other(lines: list[bytes], torn: bytes) -> None:
    with empty_journal() as path:
        write(path, *lines)
        with path.open("ab") as file:
            file.write(torn)
        assert [line.data for line in read_all(path)] == lines
        write(path, b"after")
        assert [line.data for line in read_all(path)] == [*lines, torn, b"after"]


@given(
    sizes=st.lists(st.integers(min_value=0, max_value=30), max_size=10),
    limit=st.integers(min_value=0, max_value=25),
)
def test_a_line_over_the_limit_is_skipped_and_marked(sizes: list[int], limit: int) -> None:
    with empty_journal() as path:
        write(path, *(b"x" * size for size in sizes))
        found = read_all(path, max_line_bytes=limit)
    assert [line.is_too_long for line in found] == [size > limit for size in sizes]
    assert [line.end - line.offset - 1 for line in found] == sizes
    assert all(line.data == b"" for line in found if line.is_too_long)


def test_a_line_of_many_chunks_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    line = b"y" * (3 * READ_CHUNK_BYTES + 7)
    write(path, line, b"next")
    assert [found.data for found in read_all(path, max_line_bytes=len(line))] == [line, b"next"]


@pytest.mark.parametrize("line", [b"a\nb", b"x" * (MAX_JOURNAL_LINE_BYTES + 1)])
def test_the_writer_refuses_what_is_not_one_line(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "out.jsonl"
    with pytest.raises(PermanentError):
        write(path, line)
    assert path.read_bytes() == b""


def test_neither_side_follows_a_link_or_opens_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"secret\n")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("link", "fifo", "folder"):
        with pytest.raises(JournalRefusedError):
            read_all(tmp_path / name)
        with pytest.raises(JournalRefusedError):
            write(tmp_path / name, b"x")
    assert (tmp_path / "target").read_bytes() == b"secret\n"


def test_a_journal_that_is_cut_or_replaced_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    write(path, b"first line", b"second")
    with closing(JournalReader(path)) as reader:
        list(iter(reader.next_line, None))
        os.truncate(path, 3)
        with pytest.raises(JournalRefusedError, match="cut"):
            reader.next_line()
        path.unlink()
        with pytest.raises(JournalRefusedError, match="replaced"):
            reader.next_line()


@pytest.mark.parametrize("has_inotify", [True, False])
async def test_a_follower_hands_out_lines_as_they_come_and_ends_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_inotify: bool
) -> None:
    if not has_inotify:
        monkeypatch.setattr(follow_module, "Inotify", no_inotify)
    path = tmp_path / "out.jsonl"
    async with follow(path) as lines, asyncio.TaskGroup() as group:
        first = group.create_task(lines.next_line())
        await asyncio.sleep(0)
        write(path, b"one", b"two")
        assert (await first) == Line(0, 4, b"one")
        assert (await lines.next_line()) == Line(4, 8, b"two")
        write(path, b"three")
        lines.end()
        assert (await lines.next_line()) == Line(8, 14, b"three")
        assert await lines.next_line() is None


def no_inotify(**_: object) -> None:
    raise OSError(24, "Too many open files")
