"""Who asked of the bus what it may not, as the servers write it into their logs.

No program of the system ever does: who is refused is broken, or somebody else has taken it over.
"""

import re
from collections.abc import Iterable, Iterator

from sympozium.contract.resources import PODS
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.checks.bus import bus_pods
from sympozium_local.cli.checks.check import Check, good, warning
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.instance import Instance
from sympozium_local.cli.paths import path_of, system_namespace

TAIL_LINES = 50_000
MANY = 10
LOG_NAME = "nats-server.log"

_REFUSED = re.compile(
    r"^\S+ (?P<time>\S+ [\d:]+).*user:(?P<who>[^\"]+)\" - "
    r"(?P<what>Publish|Subscription) Violation - Subject \"(?P<subject>[^\"]+)\""
)
_LATE = re.compile(r"^\$SYS\._INBOX\.")
"""Where the server asked who a connection is: a controller may answer too late to be heard."""

_REMEDY = (
    "unless it was you: look at its log, end it, and renew what it holds; "
    "docs/security.md says what that is"
)


def cluster_refusals(cluster: Cluster) -> Iterator[Check]:
    """Look into the newest lines that the servers of the bus logged, where it is the chart's.

    Raises:
        ForbiddenError: The caller may not read them.
    """
    try:
        pods = bus_pods(cluster)
    except NotFoundError:
        return
    for pod in pods:
        name = pod["metadata"]["name"]
        path = path_of(PODS, system_namespace(), name) + "/log"
        log = b"".join(cluster.stream(path, container="nats", tailLines=str(TAIL_LINES)))
        yield from refusal_checks(log.decode(errors="replace").splitlines(), name)


def machine_refusals(instance: Instance) -> Iterator[Check]:
    """Look into what the server of this machine logged."""
    paths = [instance.home.logs / name for name in (f"{LOG_NAME}.1", LOG_NAME)]
    texts = [path.read_text(errors="replace") for path in paths if path.exists()]
    yield from refusal_checks("".join(texts).splitlines(), "bus")


def refusal_checks(lines: Iterable[str], server: str) -> Iterator[Check]:
    """Tell of everybody who was refused something, whoever was last first."""
    refused: dict[str, list[re.Match[str]]] = {}
    for line in lines:
        found = _REFUSED.match(line)
        if found and not _LATE.match(found["subject"]):
            refused.setdefault(found["who"], []).append(found)
    if not refused:
        yield good(f"refusals of {server}", "nobody asked for what he may not")
    ordered = sorted(refused.items(), key=lambda one: one[1][-1]["time"], reverse=True)
    for who, found_of in ordered[:MANY]:
        yield warning(f"refused: {who}", _told(found_of), _REMEDY)
    if ordered[MANY:]:
        yield warning("refused", f"{len(ordered) - MANY} more", _REMEDY)


def _told(found: list[re.Match[str]]) -> str:
    first, last = found[0], found[-1]
    verb = "publish to" if first["what"] == "Publish" else "listen to"
    times = "once" if len(found) == 1 else f"{len(found)} times, the last one"
    return f"it wanted to {verb} {first['subject']!r}; {times} at {last['time']}"
