"""How much of finished runs is held in memory: ten thousand answers do not fit a small pod.

A run that has just ended is held whole, because its answer is about to be told. A
minute later only what finds it again is; whoever wants more asks the API server.
"""

import asyncio
from collections import deque
from datetime import UTC, datetime, timedelta

from sympozium.contract.agentrun import TERMINAL_PHASES
from sympozium.contract.resources import Object
from sympozium.contract.times import kube_time
from sympozium.kube.objects import HeldObjects, Key, without_managed_fields
from sympozium.runtime.loops import pause

HELD_WHOLE_S = 60.0
LOOK_EVERY_S = 15.0

LONG_AGO = timedelta(minutes=10)
"""A router that starts finds thousands of runs at once, nearly all of them told."""

_METADATA = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_SOURCE = ("channel", "conversation", "messageId", "sequence")
_CUT = "isCut"


def is_terminal(run: Object) -> bool:
    """Return whether a run has come to its end."""
    return run.get("status", {}).get("phase") in TERMINAL_PHASES


def is_cut(run: Object) -> bool:
    """Return whether the rest of a run must be asked for."""
    return _CUT in run


def cut(run: Object) -> Object:
    """Return a finished run without its task and its result."""
    source = run["spec"].get("source") or {}
    return {
        _CUT: True,
        "metadata": {name: run["metadata"][name] for name in _METADATA if name in run["metadata"]},
        "spec": {"source": {name: source[name] for name in _SOURCE if name in source}},
        "status": {"phase": run["status"]["phase"]},
    }


def held_run(run: Object) -> Object:
    """Return what is held of a run as it comes: one that ended long ago comes cut."""
    without_managed_fields(run)
    ended = (run.get("status") or {}).get("finishedAt", "")
    long_ago = kube_time(datetime.now(UTC) - LONG_AGO)
    return cut(run) if is_terminal(run) and "" < ended < long_ago else run


class Cutter:
    """Cuts runs a while after they ended."""

    def __init__(self, runs: HeldObjects) -> None:
        self._runs = runs
        self._ended: deque[tuple[float, Key]] = deque()
        runs.listen(self._run_changed)

    async def run(self, stop: asyncio.Event) -> None:
        """Cut what has ended a while ago until *stop* is set."""
        while not stop.is_set():
            self.cut_ended(asyncio.get_running_loop().time() - HELD_WHOLE_S)
            await pause(LOOK_EVERY_S, stop)

    def cut_ended(self, before: float) -> None:
        """Cut the runs whose end was seen *before* a time of the loop."""
        while self._ended and self._ended[0][0] < before:
            _, key = self._ended.popleft()
            run = self._runs.get(*key)
            if run is not None and is_terminal(run) and not is_cut(run):
                self._runs.hold(key, cut(run))

    def _run_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        if new is not None and is_terminal(new) and not (old is not None and is_terminal(old)):
            self._ended.append((asyncio.get_running_loop().time(), key))
