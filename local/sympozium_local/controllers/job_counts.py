"""How many pods of a Job ended, and how, also after they are gone.

The real controller keeps a finalizer on every pod until it is counted, which
costs a write a pod. Here the counters in the Job's status are the record, and
which pods they hold already is remembered; after a restart the oldest ended
pods are taken to be the counted ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sympozium.contract.resources import Object
from sympozium_local.controllers.failure_policy import Action, judge
from sympozium_local.controllers.pods import ended_at, has_ended, is_terminating, phase

INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"


@dataclass
class Counts:
    """The ended pods of one Job."""

    succeeded: int = 0
    failed: int = 0
    indexes: set[int] = field(default_factory=set)
    fatal: str = ""
    """Why a rule of the failure policy ends the Job, or ""."""
    last_failures: int = 0
    """Counted failures since the last success, for the back-off."""
    seen: set[str] = field(default_factory=set)

    def take(self, job: Object, pod: Object) -> None:
        """Count *pod*, which ended or is lost, unless it is counted."""
        uid = pod["metadata"]["uid"]
        if uid in self.seen:
            return
        self.seen.add(uid)
        index = pod_index(pod)
        if phase(pod) == "Succeeded":
            if index is None or index not in self.indexes:
                self.succeeded += 1
            if index is not None:
                self.indexes.add(index)
            self.last_failures = 0
            return
        verdict = judge(job, pod)
        if verdict.action is Action.IGNORE:
            return
        self.failed += 1
        self.last_failures += 1
        if verdict.action is Action.FAIL_JOB:
            self.fatal = self.fatal or verdict.message


def recall(job: Object, pods: Iterable[Object]) -> Counts:
    """Rebuild the counts of a Job from its status and the pods that are there."""
    status = job.get("status") or {}
    counts = Counts(
        int(status.get("succeeded") or 0),
        int(status.get("failed") or 0),
        parse_indexes(status.get("completedIndexes") or ""),
    )
    pods = list(pods)
    ended = sorted(filter(has_ended, pods), key=ended_at)
    ending = [pod for pod in pods if is_terminating(pod) and not has_ended(pod)]
    left = {"Succeeded": counts.succeeded, "Failed": counts.failed}
    for pod in ended + ending:
        outcome = phase(pod) if has_ended(pod) else "Failed"
        if left[outcome] > 0:
            left[outcome] -= 1
            counts.seen.add(pod["metadata"]["uid"])
    alive = len(pods) - len(ended)
    fresh = sum(1 for pod in ended if pod["metadata"]["uid"] not in counts.seen)
    # Pods that the status knows as active and that vanished while nobody looked.
    counts.failed += max(0, int(status.get("active") or 0) - alive - fresh)
    return counts


def pod_index(pod: Object) -> int | None:
    """Return the completion index of a pod of an Indexed Job, else None."""
    text = (pod["metadata"].get("annotations") or {}).get(INDEX_ANNOTATION)
    return int(text) if text is not None and text.isdigit() else None


def parse_indexes(text: str) -> set[int]:
    """Read `1,3-5,7` as a Job's status writes it."""
    indexes: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes


def format_indexes(indexes: Iterable[int]) -> str:
    """Write completed indexes as a Job's status does: `1,3-5,7`."""
    spans: list[list[int]] = []
    for index in sorted(indexes):
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
