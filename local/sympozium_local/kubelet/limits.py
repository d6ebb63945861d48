"""Limits of memory, processor time and processes, by control groups where we may make them."""

import asyncio
import logging
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sympozium.contract.resources import Object
from sympozium_local.kubelet.quantity import parse_quantity
from sympozium_local.kubelet.sandbox import syscalls

log = logging.getLogger(__name__)

MAX_PIDS = 1024
"""Processes in one container."""
_PERIOD_US = 100_000
_REMOVE_TRIES, _REMOVE_PAUSE_S = 40, 0.05
_LEFT_TRIES = 5
GROUPS_ROOT = Path("/sys/fs/cgroup")
_V1_CONTROLLERS = ("memory", "cpu", "pids")
_COUNTED_BY_NAMESPACE = (5, 14)
"""The kernel from which on a user's processes are counted in each user namespace by itself.

Before, the limit of a container would count all that its user runs on the machine.
Source: commit 21d1c5e386bc ("Reimplement RLIMIT_NPROC on top of ucounts") of Linux
"""


@dataclass(frozen=True)
class Amounts:
    """What a container may use; 0: as much as there is."""

    memory_bytes: int
    cpus: float


def amounts(container: Object) -> Amounts:
    """Return the limits that the manifest sets."""
    limits = (container.get("resources") or {}).get("limits") or {}
    memory = int(parse_quantity(limits.get("memory", 0)))
    return Amounts(memory, float(parse_quantity(limits.get("cpu", 0))))


class Group:
    """The control groups of one execution of a container."""

    def __init__(self, own: Mapping[Path, Mapping[str, str]], shared: Sequence[Path]) -> None:
        self._folders = list(own)
        self._joined = [*own, *shared]
        for folder, values in own.items():
            folder.mkdir(exist_ok=True)
            for name, value in values.items():
                (folder / name).write_text(value)

    def procs_files(self) -> list[str]:
        """Return the files that a process writes itself to, to be limited."""
        return [str(folder / "cgroup.procs") for folder in self._joined]

    def was_out_of_memory(self) -> bool:
        """Say whether the kernel ended a process for the memory limit."""
        for folder in self._folders:
            for name in ("memory.oom_control", "memory.events"):
                with suppress(OSError):
                    counts = dict(x.split() for x in (folder / name).read_text().splitlines())
                    return int(counts.get("oom_kill", 0)) > 0
        return False

    def remove(self) -> None:
        """Remove the groups. One that the kernel still empties is left for the next start."""
        for folder in self._folders:
            with suppress(OSError):
                folder.rmdir()


class Limits:
    """How this machine limits containers. Made by `find_limits`."""

    def __init__(self, parents: list[Path]) -> None:
        self._parents = {parent: frozenset(os.listdir(parent)) for parent in parents}

    @property
    def has_groups(self) -> bool:
        """True if control groups are used; else what can be is limited by rlimit."""
        return bool(self._parents)

    @property
    def most_processes(self) -> int:
        """How many processes a container is held to by rlimit; 0: its groups do it, or nobody."""
        return 0 if self.has_groups or not _are_counted_by_container() else MAX_PIDS

    @property
    def shortfall(self) -> str:
        """What of containers' limits this machine does not enforce, in words; "": nothing."""
        if self.has_groups:
            return ""
        missing = "processor time" if self.most_processes else "processor time and processes"
        return (
            f"this machine lets us make no control groups: {missing} of containers are not "
            "limited, and memory only for each process by itself"
        )

    def make_group(self, name: str, wanted: Amounts) -> Group:
        """Make the groups of the container execution *name*.

        Where it is not limited it joins what all containers share: making and removing a group
        costs more than most of what a short container does.
        """
        settings = _settings(wanted)
        own: dict[Path, dict[str, str]] = {}
        shared: list[Path] = []
        for parent, files in self._parents.items():
            if values := {file: settings[file] for file in settings if file in files}:
                own[parent / name] = values
            else:
                shared.append(parent)
        return Group(own, shared)

    def remove_leftovers(self) -> None:
        """Remove what an earlier kubelet left behind."""
        _empty(self._parents)

    async def remove(self) -> None:
        """Remove every group, as soon as the kernel has ended the processes in them."""
        for _ in range(_REMOVE_TRIES):
            self.remove_leftovers()
            for parent in self._parents:
                with suppress(OSError):
                    parent.rmdir()
            if not any(map(Path.exists, self._parents)):
                return
            await asyncio.sleep(_REMOVE_PAUSE_S)


def find_limits(instance: str, root: Path = GROUPS_ROOT) -> Limits:
    """Return what this machine offers; *instance* keeps two kubelets' groups apart."""
    limits = Limits(_version_1(instance, root) or _version_2(instance, root))
    if limits.shortfall:
        extra = {"action": "start", "cause": limits.shortfall}
        log.warning("limits not enforced", extra=extra)
    return limits


def remove_groups(instance: str) -> None:
    """Remove the groups of a kubelet that was killed; one that holds a process stays."""
    name = f"sympozium-{instance}"
    root = GROUPS_ROOT
    places = [*(root / controller / name for controller in _V1_CONTROLLERS), root / name]
    for _ in range(_LEFT_TRIES):  # what has just ended is in its group for a moment yet
        found = [parent for parent in places if parent.exists()]
        if not found:
            return
        _empty(found)
        for parent in found:
            with suppress(OSError):
                parent.rmdir()
        time.sleep(_REMOVE_PAUSE_S)


def _empty(parents: Iterable[Path]) -> None:
    for parent in parents:
        for folder in parent.glob("*/"):
            with suppress(OSError):
                folder.rmdir()


def _are_counted_by_container() -> bool:
    """Return whether a limit of processes by rlimit holds for a container by itself.

    As root each pod is a user of the machine of its own.
    """
    return syscalls.is_privileged() or _kernel() >= _COUNTED_BY_NAMESPACE


def _kernel() -> tuple[int, int]:
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)


def _version_1(instance: str, root: Path) -> list[Path]:
    parents = [root / name / f"sympozium-{instance}" for name in _V1_CONTROLLERS]
    with suppress(OSError):
        for parent in parents:
            if not (parent.parent / "cgroup.procs").exists():
                return []
            parent.mkdir(exist_ok=True)
        return parents
    return []


def _version_2(instance: str, root: Path) -> list[Path]:
    with suppress(OSError):
        if not (root / "cgroup.controllers").exists():
            return []
        parent = root / f"sympozium-{instance}"
        parent.mkdir(exist_ok=True)
        for folder in (root, parent):
            wanted = " ".join(f"+{name}" for name in _V1_CONTROLLERS)
            (folder / "cgroup.subtree_control").write_text(wanted)
        return [parent]
    return []


def _settings(wanted: Amounts) -> dict[str, str]:
    """Return file names and values of both versions; only those that exist are written."""
    settings = {"pids.max": str(MAX_PIDS)}
    if wanted.memory_bytes:
        memory = str(wanted.memory_bytes)
        settings |= {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory}
        settings |= {"memory.max": memory, "memory.swap.max": "0", "memory.oom.group": "1"}
    if wanted.cpus:
        quota = max(1000, int(wanted.cpus * _PERIOD_US))
        settings |= {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota)}
        settings |= {"cpu.max": f"{quota} {_PERIOD_US}"}
    return settings
