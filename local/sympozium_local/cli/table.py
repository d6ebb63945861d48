"""Rows in columns, as kubectl prints them."""

import sys
from collections.abc import Sequence


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print *rows*, of which the first is the heading, in columns as wide as need be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        sys.stdout.write("   ".join(cells).rstrip() + "\n")
