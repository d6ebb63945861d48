"""A table as lines of text, its columns aligned for a fixed-width font."""

from collections.abc import Sequence

from sympozium.chat.markup.clusters import display_width

WIDEST_PADDING = 40
"""Columns are aligned up to this width; a longer cell is as long as it is.

Without it one long cell would add its width in spaces to every row.
"""

_GUTTER = "  "


def aligned(
    header: Sequence[str], rows: Sequence[Sequence[str]], aligns: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the lines of the head (titles and the rule below) and those of the rows."""
    table = [header, *rows]
    widths = [
        min(WIDEST_PADDING, max(display_width(row[column]) for row in table))
        for column in range(len(header))
    ]
    lines = [_line(row, widths, aligns) for row in table]
    rule = _GUTTER.join("─" * max(1, width) for width in widths)
    return [lines[0], rule], lines[1:]


def _line(row: Sequence[str], widths: Sequence[int], aligns: Sequence[str]) -> str:
    cells = (
        _padded(cell, width, align) for cell, width, align in zip(row, widths, aligns, strict=True)
    )
    return _GUTTER.join(cells).rstrip()


def _padded(cell: str, width: int, align: str) -> str:
    missing = max(0, width - display_width(cell))
    match align:
        case "right":
            return " " * missing + cell
        case "center":
            return " " * (missing // 2) + cell + " " * (missing - missing // 2)
    return cell + " " * missing


def ruled(aligns: Sequence[str]) -> str:
    """Return the line below the head of a Markdown table."""
    marks = {"left": ":--", "right": "--:", "center": ":-:"}
    return "| " + " | ".join(marks.get(align, "---") for align in aligns) + " |"
