"""What a model is told of the files that came with a message.

A picture is shown to it, a short text is quoted, anything else is named. What a
file is, its bytes say; the name and type that its sender gave are only shown.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.limits import MAX_FILE_BYTES, MAX_FILES
from sympozium.contract.messages import FileRef
from sympozium_agent.file_names import incoming_name, shown_name
from sympozium_agent.provider import Image
from sympozium_agent.volume import FileRefusedError, open_file, open_folder

MAX_TEXT_BYTES = 64 * 1024
"""Longest file that is quoted whole."""

MAX_QUOTED_BYTES = 256 * 1024
"""Of all quoted files of one message."""

MAX_IMAGE_BYTES = 5 * 1024 * 1024
"""Largest picture that is shown. Source: the smallest limit among the usual model endpoints."""

MAX_SHOWN_BYTES = 10 * 1024 * 1024
"""Of all pictures of one message; in base64 they fit a request to the model."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_WEBP = re.compile(rb"RIFF....WEBP", re.DOTALL)
_TICKS = re.compile(r"`+")


@dataclass(frozen=True)
class Attached:
    """The files of one message, for the model: a text that stands after the message's own."""

    text: str = ""
    images: tuple[Image, ...] = ()


def read_attached(refs: Sequence[FileRef], folder: Path) -> Attached:
    """Return what the model is told of *refs*, which the bridge has put into *folder*."""
    texts: list[str] = []
    images: list[Image] = []
    quoted_bytes = shown_bytes = 0
    for ref in refs[:MAX_FILES]:
        data = _read(folder, ref)
        title = _title(ref)
        if data is None:
            texts.append(f"{title} It could not be fetched and is missing.")
        elif (type_ := image_type(data)) and _fits(data, shown_bytes, MAX_IMAGE_BYTES):
            shown_bytes += len(data)
            images.append(Image(type_, data))
            texts.append(f"{title} It is shown here.")
        elif (text := _as_text(data)) is not None and quoted_bytes + len(data) <= MAX_QUOTED_BYTES:
            quoted_bytes += len(data)
            texts.append(f"{title} Its content:\n{fenced(text)}")
        else:
            texts.append(f"{title} Its content cannot be shown to you.")
    return Attached("\n\n".join(texts), tuple(images))


def image_type(data: bytes) -> str:
    """Return the media type of a picture that models take; "" where *data* is none."""
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    return "image/webp" if _WEBP.match(data[:12]) else ""


def fenced(text: str) -> str:
    """Return *text* between fences that nothing in it closes."""
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _fits(data: bytes, shown_bytes: int, max_bytes: int) -> bool:
    return len(data) <= max_bytes and shown_bytes + len(data) <= MAX_SHOWN_BYTES


def _read(folder: Path, ref: FileRef) -> bytes | None:
    try:
        with (
            open_folder(folder) as opened,
            open_file(opened, incoming_name(ref), max_bytes=MAX_FILE_BYTES) as file,
        ):
            return file.read(MAX_FILE_BYTES)
    except FileRefusedError:
        return None


def _as_text(data: bytes) -> str | None:
    if len(data) > MAX_TEXT_BYTES or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _title(ref: FileRef) -> str:
    media_type = ref.media_type if ref.media_type.isprintable() else "unknown type"
    return f"File {shown_name(ref.name)!r} ({media_type[:100]}, {ref.size_bytes} bytes)."
