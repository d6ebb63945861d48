"""Arming a sync point in one program of a running system, and seeing it die there.

A program gets the variables from its Deployment, with a volume for the marker that
outlives its process and not its pod. What runs in a run's pod gets them from the
controller, and the pod's own volume holds the marker.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sympozium.contract.resources import DEPLOYMENTS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ConflictError
from sympozium.runtime.reach import CRASH_AT, CRASH_MARKER, VARIABLES
from sympozium.runtime.sync_points import Point

ROLLOUT_TIMEOUT_S = 60.0
POLL_S = 0.1

VOLUME = "sync-points"
FOLDER = "/sync-points"
MARKERS = {"bridge": "/ipc/died", "agent": "/ipc/died", "tool": "/ipc/tools/cluster-reader/died"}

Place = tuple[str, str]
"""Namespace and name of a Deployment."""

SYSTEM = "sympozium-system"
ROUTER: Place = (SYSTEM, "sympozium-router")
CONTROLLER: Place = (SYSTEM, "sympozium-controller")
WEB: Place = ("default", "channel-web")


class Arming:
    """Arms one point at a time; what was armed before is disarmed."""

    def __init__(self, kube: Kube, *, bot: Place | None = None) -> None:
        self._kube = kube
        self._places = {"router": ROUTER, "controller": CONTROLLER, "web": WEB}
        if bot is not None:
            self._places["channel"] = bot
        self._armed: dict[Place, dict[str, str]] = {}

    async def arm(self, point: Point) -> None:
        """Have the program of *point* die there once; return when all programs are ready."""
        place = self._places.get(point.program, CONTROLLER)
        marker = MARKERS.get(point.program, f"{FOLDER}/died")
        await self._be_armed({place: {CRASH_AT: point.value, CRASH_MARKER: marker}})

    async def disarm(self) -> None:
        """Have nobody die any more."""
        await self._be_armed({})

    async def _be_armed(self, wanted: dict[Place, dict[str, str]]) -> None:
        async with asyncio.timeout(ROLLOUT_TIMEOUT_S), asyncio.TaskGroup() as group:
            for place in self._armed.keys() | wanted.keys():
                if self._armed.get(place) != wanted.get(place):
                    group.create_task(self._roll_out(place, wanted.get(place, {})))
        self._armed = wanted

    async def _roll_out(self, place: Place, variables: dict[str, str]) -> None:
        while True:
            deployment = await self._kube.get(DEPLOYMENTS, *place)
            _set(deployment["spec"]["template"]["spec"], variables)
            try:
                deployment = await self._kube.replace(DEPLOYMENTS, deployment)
            except ConflictError:
                continue
            break
        while not _is_rolled_out(deployment):
            await asyncio.sleep(POLL_S)
            deployment = await self._kube.get(DEPLOYMENTS, *place)


def _set(pod: Object, variables: dict[str, str]) -> None:
    (container,) = pod["containers"]
    kept = [one for one in container.get("env", []) if one["name"] not in VARIABLES]
    container["env"] = [*kept, *({"name": n, "value": v} for n, v in variables.items())]
    if all(volume["name"] != VOLUME for volume in pod.get("volumes", [])):
        pod.setdefault("volumes", []).append({"name": VOLUME, "emptyDir": {}})
        mount = {"name": VOLUME, "mountPath": FOLDER}
        container.setdefault("volumeMounts", []).append(mount)


def _is_rolled_out(deployment: Object) -> bool:
    status = deployment.get("status", {})
    is_seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    counts = (status.get(f"{kind}eplicas", 0) for kind in ("r", "updatedR", "availableR"))
    return is_seen and all(count == 1 for count in counts)


@dataclass(frozen=True)
class Deaths:
    """The logs of a system's pods, in which whoever dies says so before."""

    pods: Path
    since: datetime

    def of(self, point: Point) -> list[datetime]:
        """Return when processes have died at *point* since, the first one first."""
        found = []
        for path in self.pods.glob("*/*/*.log"):
            try:
                if path.stat().st_mtime >= self.since.timestamp():
                    found += _deaths(path.read_text(errors="replace"), point)
            except FileNotFoundError:  # its pod is gone
                continue
        return sorted(moment for moment in found if moment >= self.since)


def _deaths(log: str, point: Point) -> list[datetime]:
    lines = [line for line in log.splitlines() if f'"point": "{point.value}"' in line]
    records = [json.loads(line.split(" ", 2)[2]) for line in lines]
    return [datetime.fromisoformat(one["time"]) for one in records if one["action"] == "crash"]
