"""What a reference to a file may say, whoever made it."""

from collections.abc import Iterable

from sympozium.contract.limits import FILE_PART_BYTES, MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium.contract.names import is_subject_token

MAX_ID_CHARS = 200
MAX_FILE_NAME_CHARS = 255
MAX_PARTS = 4 * MAX_FILE_BYTES // FILE_PART_BYTES
"""More than a file of that size needs, should its parts be cut smaller."""


def good_files(files: Iterable[FileRef], *, owner: str) -> tuple[FileRef, ...]:
    """Return those of *files* that *owner* can have stored, as many as may be sent."""
    good = [ref for ref in files if ref.owner == owner and not file_problem(ref)]
    return tuple(good[:MAX_FILES])


def file_problem(ref: FileRef) -> str:
    """Return what is wrong with *ref*; empty: nothing."""
    if not is_subject_token(ref.id) or len(ref.id) > MAX_ID_CHARS:
        return "one of its files has no good id"
    if not 0 <= ref.size_bytes <= MAX_FILE_BYTES:
        return f"one of its files is longer than {MAX_FILE_BYTES} bytes"
    if not 0 <= ref.parts <= ref.size_bytes or ref.parts > MAX_PARTS:
        return "one of its files is cut into more parts than it can have"
    if len(ref.name) > MAX_FILE_NAME_CHARS or len(ref.media_type) > MAX_FILE_NAME_CHARS:
        return "the name of one of its files is too long"
    return ""
