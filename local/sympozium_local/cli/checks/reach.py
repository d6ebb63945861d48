"""Which runs tried to reach what they may not, as their ends say."""

from collections.abc import Iterator

from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium_local.cli.checks.check import Check, good, warning
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of

PAGE = 200
"""Runs to ask for at once; each may hold a result of 64 KiB."""

MANY = 10

_REMEDY = (
    "unless its model or the bus was away then: read what it was asked and what it did, with "
    "sympozium runs show and logs; docs/security.md says what is counted"
)


def reach_checks(cluster: Cluster, namespace: str) -> Iterator[Check]:
    """Look at the runs of a namespace, or (empty) of all; whoever ended last comes first."""
    tried = sorted(_who_tried(cluster, namespace), key=_ended, reverse=True)
    if not tried:
        yield good("runs", "none tried to reach what it may not")
    for run in tried[:MANY]:
        metadata, status = run["metadata"], run["status"]
        yield warning(
            f"{metadata['namespace']}/{metadata['name']}",
            f"its pod tried {status['blockedConnections']} times to reach something in vain; "
            f"it ended at {_ended(run)} as {status['phase']}",
            _REMEDY,
        )
    if tried[MANY:]:
        yield warning("runs", f"{len(tried) - MANY} more tried to reach something", _REMEDY)


def _who_tried(cluster: Cluster, namespace: str) -> Iterator[Object]:
    page = {"limit": str(PAGE)}
    while True:
        found = cluster.get(path_of(AGENT_RUNS, namespace), **page)
        for run in found["items"]:
            if (run.get("status") or {}).get("blockedConnections"):
                yield run
        if not (more := found["metadata"].get("continue")):
            return
        page["continue"] = more


def _ended(run: Object) -> str:
    return run["status"].get("finishedAt") or ""
