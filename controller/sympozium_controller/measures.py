"""What is counted of runs, of the line in which they wait, and of who comes to the bus."""

from collections import Counter as Counts
from enum import StrEnum

from sympozium.contract.agentrun import Phase
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.times import read_kube_time
from sympozium.kube.informer import Key
from sympozium.kube.tenants import TenantInformer
from sympozium.runtime.metrics import Counter, Gauge, Histogram, Metric, text_of
from sympozium_controller.runs.view import is_finished_run

RUNS = "sympozium_controller_runs"


class Admitted(StrEnum):
    """What became of a connection to the bus."""

    GRANTED = "granted"
    REFUSED = "refused"


ADMISSIONS = Counter(
    "sympozium_controller_bus_admissions_total",
    "Connections to the bus, by whether they were admitted.",
    outcome=Admitted,
)
WAITING = Gauge(
    "sympozium_controller_runs_waiting",
    "Runs that wait for their turn, as the controller knows that leads, or led last.",
)
LEADING = Gauge("sympozium_controller_leading", "1 while this controller leads, else 0.")
ENDED = Counter(
    "sympozium_controller_runs_ended_total",
    "Runs that ended, as this controller saw it, leading or not; reason: why without an answer.",
    phase=Phase,
    reason=Reason,
)
BLOCKED = Counter(
    "sympozium_controller_run_connections_blocked_total",
    "Attempts of runs' pods to reach something that came to nothing; reason: of the run's end.",
    reason=Reason,
)
TOOK = Histogram(
    "sympozium_controller_run_seconds", "Time from an AgentRun's creation to its end.", phase=Phase
)
METRICS: tuple[Metric, ...] = (ADMISSIONS, WAITING, LEADING, ENDED, BLOCKED, TOOK)


class RunCounts:
    """Counts runs as their copies change. Every controller does, whoever leads."""

    def __init__(self, runs: TenantInformer) -> None:
        self._runs = runs
        runs.listen(self._changed)

    def as_text(self) -> str:
        """Return how many runs there are, in the text form of metrics."""
        counts = Counts((_phase(run), _reason(run)) for run in self._runs.all())
        samples = [
            ({"phase": phase.value, "reason": reason.value if reason else ""}, count)
            for (phase, reason), count in sorted(counts.items(), key=str)
        ]
        return text_of(RUNS, "gauge", "AgentRuns that are there.", samples)

    def _changed(self, _key: Key, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or is_finished_run(old) or not is_finished_run(new):
            return
        phase = _phase(new)
        ENDED.add(phase, _reason(new))
        if blocked := (new.get("status") or {}).get("blockedConnections"):
            BLOCKED.add(_reason(new), by=blocked)
        took_s = _seconds(new)
        if took_s is not None:
            TOOK.observe(took_s, phase)


def _phase(run: Object) -> Phase:
    phase = (run.get("status") or {}).get("phase") or Phase.PENDING
    return Phase(phase) if phase in set(Phase) else Phase.PENDING


def _reason(run: Object) -> Reason | None:
    error = (run.get("status") or {}).get("error") or {}
    reason = error.get("reason")
    if not reason:
        return None
    return Reason(reason) if reason in set(Reason) else Reason.INTERNAL


def _seconds(run: Object) -> float | None:
    began = read_kube_time(run["metadata"].get("creationTimestamp") or "")
    ended = read_kube_time((run.get("status") or {}).get("finishedAt") or "")
    return None if began is None or ended is None else max(0.0, (ended - began).total_seconds())
