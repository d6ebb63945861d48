"""What pods print, as the kubelet writes it down, for the screen of `sympozium up`."""

import asyncio
from collections.abc import Callable
from pathlib import Path

LOOK_S = 0.3
_READ_BYTES = 256 * 1024


async def follow_pod_logs(node: Path, show: Callable[[str, bytes], None]) -> None:
    """Show every line that a container writes from now on, until cancelled."""
    positions = {path: path.stat().st_size for path in _logs(node)}
    while True:
        for path in _logs(node):
            positions[path] = _show_more(path, positions.get(path, 0), show)
        await asyncio.sleep(LOOK_S)


def _logs(node: Path) -> list[Path]:
    return sorted(node.glob("pods/*/*/*.log"))


def _show_more(path: Path, position: int, show: Callable[[str, bytes], None]) -> int:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(position if position <= size else 0)
            data = file.read(_READ_BYTES)
    except OSError:  # the pod is gone
        return position
    whole, newline, _ = data.rpartition(b"\n")
    start = position if position <= size else 0
    for line in whole.split(b"\n") if newline else ():
        text = line.split(b" ", 2)[-1]  # after the kubelet's time and tag
        show(path.parent.name, text + b"\n")
    return start + len(whole) + len(newline)
