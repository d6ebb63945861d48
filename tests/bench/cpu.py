"""Processor time of a running system, by program."""

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.fixtures.embedded_system import EmbeddedSystem

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Process:
    parent: int
    own_s: float
    of_ended_children_s: float


def cpu_by_program(system: EmbeddedSystem) -> dict[str, float]:
    """Return the seconds of processor time that each program of *system* has used so far.

    "containers" are those that have ended: whatever the runs' pods did.
    """
    processes = _processes()
    spent: dict[str, float] = defaultdict(float)
    for program in json.loads(system.sympozium("status", "--json").stdout)["programs"]:
        name, pid = program["name"].rpartition("/")[2], program["pid"]
        if name == "node":
            spent |= _node(pid, processes)
        elif "/" in program["name"]:  # a pod: "channel-web-<hash>-<hash>"
            below = [one for one in processes if pid in _line(one, processes)]
            spent[name.rsplit("-", 2)[0]] += sum(processes[one].own_s for one in below)
        elif pid in processes:
            spent[name] += processes[pid].own_s
    return spent


def _node(pid: int, processes: dict[int, _Process]) -> dict[str, float]:
    zygotes = [one for one in processes.values() if one.parent == pid]
    return {
        "node": processes[pid].own_s,
        "zygote": sum(one.own_s for one in zygotes),
        "containers": sum(one.of_ended_children_s for one in zygotes),
    }


def _processes() -> dict[int, _Process]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        user, system, ended_user, ended_system = (int(x) / _TICKS_PER_S for x in fields[11:15])
        found[int(folder.name)] = _Process(int(fields[1]), user + system, ended_user + ended_system)
    return found


def _line(pid: int, processes: dict[int, _Process]) -> list[int]:
    """Return *pid* and its ancestors."""
    line = [pid]
    while line[-1] in processes:
        line.append(processes[line[-1]].parent)
    return line
