"""Arming sync points in the programs of a running system, and seeing them die there.

A program gets the variables from its Deployment, with a volume for the markers that
outlive its process and not its pod. What runs in a run's pod gets the same variables
from the controller, and a volume of the pod's own holds its markers, in the one folder
that all of its containers have.
"""

import asyncio
import copy
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from typing_extensions import override

from sympozium.contract.resources import DEPLOYMENTS, Object
from sympozium.kube.client import Kube
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import ConflictError
from sympozium.runtime.reach import CRASH_AT, CRASH_MARKER, VARIABLES
from sympozium.runtime.sync_points import Point

ROLLOUT_TIMEOUT_S = 60.0
POLL_S = 0.1

VOLUME = "sync-points"
FOLDER = "/ipc/tools/cluster-reader"
DIED, PAUSED = "died", "paused"
"""What the names of markers begin with."""

MARKER = f"{FOLDER}/{DIED}"
ARMED = "armed"
"""A folder of markers beside those, which may be missing."""

Place = tuple[str, str]
"""Namespace and name of a Deployment."""

SYSTEM = "sympozium-system"
CONTROLLER_USER = f"system:serviceaccount:{SYSTEM}:sympozium-controller"
ROUTER: Place = (SYSTEM, "sympozium-router")
CONTROLLER: Place = (SYSTEM, "sympozium-controller")
WEB: Place = ("default", "channel-web")


class Arming:
    """Arms points; what was armed before is disarmed."""

    def __init__(self, kube: Kube, bots: Mapping[str, Place]) -> None:
        self._kube = kube
        self._places = {"router": ROUTER, "controller": CONTROLLER, "web": WEB}
        self._bots = bots
        self._armed: dict[Place, dict[str, str]] = {}

    async def arm(self, *points: Point, bot: str = "") -> None:
        """Have each program die once at each of its *points*; return when all are ready.

        A pod of a run dies so by itself: what is in each has its own markers. At points of
        a channel it is the *bot* at that platform which dies.
        """
        places = self._places | ({"channel": self._bots[bot]} if bot in self._bots else {})
        by_place: dict[Place, list[str]] = {}
        for point in points:
            place = places.get(point.program, CONTROLLER)
            by_place.setdefault(place, []).append(point.value)
        await self._be_armed(
            {
                place: {CRASH_AT: ",".join(names), CRASH_MARKER: MARKER}
                for place, names in by_place.items()
            }
        )

    async def disarm(self) -> None:
        """Have nobody die any more."""
        await self._be_armed({})

    async def _be_armed(self, wanted: dict[Place, dict[str, str]]) -> None:
        async with asyncio.timeout(ROLLOUT_TIMEOUT_S), asyncio.TaskGroup() as group:
            for place in self._armed.keys() | wanted.keys():
                if self._armed.get(place) != wanted.get(place):
                    change = partial(_arm, wanted.get(place, {}))
                    group.create_task(roll_out(self._kube, place, change))
        self._armed = wanted


def _arm(variables: Mapping[str, str], pod: Object) -> None:
    set_env(pod, variables, dropped=VARIABLES)
    mount(pod, {"emptyDir": {}})


@dataclass(frozen=True)
class _AsController(Endpoint):
    """The API server, as an administrator who acts as the controller."""

    @override
    def headers(self) -> dict[str, str]:
        return super().headers() | {"Impersonate-User": CONTROLLER_USER}


def as_controller(kube: Kube) -> Kube:
    """Return a client that acts as the controller, which alone changes a channel's pods."""
    acting = copy.copy(kube)
    known = kube._endpoint
    acting._endpoint = _AsController(known.url, known.ca_file, known.token_file)
    return acting


async def roll_out(
    kube: Kube, place: Place, change: Callable[[Object], None], *, replicas: int | None = None
) -> None:
    """Change the pods of a Deployment, and how many, and return when the new ones are ready."""
    while True:
        deployment = await kube.get(DEPLOYMENTS, *place)
        change(deployment["spec"]["template"]["spec"])
        if replicas is not None:
            deployment["spec"]["replicas"] = replicas
        try:
            deployment = await _change_pods(kube, place, deployment)
        except ConflictError:
            continue
        break
    while not _is_rolled_out(deployment):
        await asyncio.sleep(POLL_S)
        deployment = await kube.get(DEPLOYMENTS, *place)


async def _change_pods(kube: Kube, place: Place, deployment: Object) -> Object:
    if place[0] == SYSTEM:
        return await kube.replace(DEPLOYMENTS, deployment)
    version = {"resourceVersion": deployment["metadata"]["resourceVersion"]}
    patch = {"metadata": version, "spec": {"template": deployment["spec"]["template"]}}
    return await as_controller(kube).patch(DEPLOYMENTS, *place, patch)


def set_env(pod: Object, variables: Mapping[str, str], *, dropped: Collection[str] = ()) -> None:
    """Have the one container of a pod get *variables*."""
    (container,) = pod["containers"]
    gone = {*dropped, *variables}
    kept = [one for one in container.get("env", []) if one["name"] not in gone]
    container["env"] = [*kept, *({"name": n, "value": v} for n, v in variables.items())]


def mount(pod: Object, source: Object) -> None:
    """Have the one container of a pod find its markers in a volume of *source*."""
    (container,) = pod["containers"]
    if all(volume["name"] != VOLUME for volume in pod.get("volumes", [])):
        pod.setdefault("volumes", []).append({"name": VOLUME, **source})
        place = {"name": VOLUME, "mountPath": FOLDER}
        container.setdefault("volumeMounts", []).append(place)


def _is_rolled_out(deployment: Object) -> bool:
    status = deployment.get("status", {})
    is_seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = (status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "availableR"))
    return is_seen and all(count == deployment["spec"]["replicas"] for count in counts)


@dataclass(frozen=True)
class Deaths:
    """What a system's pods keep of the dead: a marker while they live, and their last words.

    A log of a container that was started often is gone, and so are the markers of a pod
    that has ended: each death is in one of the two at least.
    """

    pods: Path
    since: datetime

    def by_point(self, points: Collection[Point]) -> dict[Point, list[datetime]]:
        """Return when processes have died at each of *points* since, the first one first."""
        found: dict[tuple[str, Point], datetime] = {}
        for path in self._found("*/*.log"):
            for point, moment in _words(path):
                found[path.parts[-3], point] = moment
        for path in self._found(f"volumes/**/{Path(MARKER).name}.*"):
            pod = path.relative_to(self.pods).parts[0]
            point = Point(path.name.partition(".")[2])
            found.setdefault((pod, point), _made_at(path))
        return {
            point: sorted(
                moment
                for (_, died_at), moment in found.items()
                if died_at is point and moment >= self.since
            )
            for point in points
        }

    def _found(self, pattern: str) -> Iterator[Path]:
        for pod in list(self.pods.iterdir()):
            with suppress(FileNotFoundError):  # the pod is gone
                yield from list(pod.glob(pattern))


def _words(log: Path) -> Iterator[tuple[Point, datetime]]:
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:  # its pod is gone
        return
    for line in text.splitlines():
        if '"sync point reached"' in line and '"crash"' in line:
            record = json.loads(line.split(" ", 2)[2])
            yield Point(record["point"]), datetime.fromisoformat(record["time"])


def _made_at(marker: Path) -> datetime:
    try:
        return datetime.fromtimestamp(marker.stat().st_mtime, UTC)
    except FileNotFoundError:  # its pod is gone
        return datetime.min.replace(tzinfo=UTC)
