"""Text that a model reads: tables, ages and a bound on the whole."""

from collections.abc import Sequence
from datetime import datetime

from sympozium.contract.times import parse_kube_time

MAX_OUTPUT_BYTES = 16 * 1024
MAX_CELL_CHARS = 200


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align *rows* under *header*, at least two spaces apart."""
    cells = [list(header), *([_cell(text) for text in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def _cell(text: str) -> str:
    return (" ".join(text.split()) or "-")[:MAX_CELL_CHARS]


def age(moment: str | None, *, now: datetime) -> str:
    """Say how long ago *moment*, a time of the API, was: `45s`, `12m`, `5h`, `3d`."""
    if not moment:
        return "unknown"
    seconds = max(0, int((now - parse_kube_time(moment)).total_seconds()))
    for unit, size_s in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size_s:
            return f"{seconds // size_s}{unit}"
    return f"{seconds}s"


def bounded(text: str, *, keeps_end: bool = False) -> str:
    """Return *text*, cut at a line to `MAX_OUTPUT_BYTES`, and say so where it is cut."""
    data = text.encode()
    if len(data) <= MAX_OUTPUT_BYTES:
        return text
    room = MAX_OUTPUT_BYTES - 200
    if keeps_end:
        kept = data[-room:].decode(errors="ignore").partition("\n")[2]
        return f"(cut: {len(data)} bytes; these are the last)\n{kept}"
    kept = data[:room].decode(errors="ignore").rpartition("\n")[0]
    return f"{kept}\n(cut: {len(data)} bytes; these are the first)"
