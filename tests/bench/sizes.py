"""What a running system takes: memory, files and threads by program, and what lies on its disk."""

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sympozium_local.system.home import Home
from sympozium_local.system.process import descendants
from tests.fixtures.embedded_system import EmbeddedSystem

STREAMS = "jetstream/SYMPOZIUM/streams"

LASTING = {"router", "controller", "channel"}
"""Containers that stay; the logs of all others go with their run."""


@dataclass(frozen=True)
class Taken:
    """What a program takes at one moment.

    Attributes:
        rss_mb: Memory, with the pages that it shares with others.
    """

    rss_mb: float = 0.0
    files: int = 0
    threads: int = 0

    def __add__(self, other: "Taken") -> "Taken":
        """Return what both take."""
        return Taken(
            self.rss_mb + other.rss_mb, self.files + other.files, self.threads + other.threads
        )


def programs(system: EmbeddedSystem) -> dict[str, list[int]]:
    """Return the processes of each program; of the node, apart what its containers fork from."""
    found = {}
    for program in json.loads(system.sympozium("status", "--json").stdout)["programs"]:
        name, pid = program["name"].rpartition("/")[2], int(program["pid"])
        if "/" in program["name"]:  # a pod: "channel-web-<hash>-<hash>"
            found[name.rsplit("-", 2)[0]] = [pid, *descendants(pid)]
            continue
        found[name] = [pid]
        if name == "node":
            found["zygote"] = descendants(pid)[:1]
    return found


def sample(programs: Mapping[str, list[int]]) -> dict[str, Taken]:
    """Return what each program takes, as far as its processes are still there."""
    found = {}
    for name, pids in programs.items():
        try:
            found[name] = sum((_taken(pid) for pid in pids), Taken())
        except OSError:
            continue
    return found


def disk_mb(home: Home) -> dict[str, float]:
    """Return the sizes of what is kept, by what it is."""
    streams = home.nats / "data" / STREAMS
    pods = list(home.node.glob("pods/*"))  # which come and go meanwhile
    logs = sum(_size(pod / name) for pod in pods for name in LASTING)
    sizes = {
        "API server": _size(home.apiserver),
        "session store": _size(home.router),
        "pods": _size(home.node) - logs,
        "logs": _size(home.logs) + logs,
        **{f"stream {path.name}": _size(path) for path in sorted(streams.glob("*"))},
    }
    return {name: size / 1e6 for name, size in sizes.items()}


def rows(home: Home) -> dict[str, int]:
    """Return how many objects of each kind, and rows of each table, there are."""
    kinds = _counts(home.apiserver, "SELECT key, count(*) FROM objects GROUP BY key")
    tables = ("messages", "conversations", "notes", "claims", "refusals")
    found = {f"objects {kind}": count for kind, count in kinds.items()}
    for table in tables:
        query = f"SELECT '{table}', count(*) FROM {table}"  # noqa: S608 - names of our own
        found |= {f"rows {name}": count for name, count in _counts(home.router, query).items()}
    return found


def _counts(folder: Path, query: str) -> dict[str, int]:
    (file,) = [*folder.glob("*.db"), *folder.glob("*.sqlite")][:1]
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as database:
        return {str(name): int(count) for name, count in database.execute(query)}


def _taken(pid: int) -> Taken:
    folder = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    return Taken(
        rss_mb=int(status["VmRSS"].split()[0]) / 1000 if "VmRSS" in status else 0.0,
        files=len(os.listdir(folder / "fd")),
        threads=int(status["Threads"]),
    )


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
            except OSError:
                continue  # it went meanwhile
    return total
