"""Which processes a program of a running system has at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import COMPONENT_LABEL, PODS, Object
from sympozium.kube.client import Kube
from sympozium_local.system.home import Home, read_json
from sympozium_local.system.process import descendants
from tests.fault.arming import Place
from tests.fault.bots import PLATFORMS

OF_SUPERVISOR = {"bus": "nats-server", "api": "apiserver", "node": "node"}
IN_PODS = {
    "router": "router",
    "controller": "controller",
    "web": "channel",
    **dict.fromkeys(PLATFORMS, "channel"),
}
IN_RUNS = {"bridge": "ipc-bridge", "agent": "agent", "tool": "skill-cluster-reader"}
PROGRAMS = (*IN_PODS, *IN_RUNS, *OF_SUPERVISOR)


@dataclass(frozen=True)
class Pids:
    """Finds processes.

    Attributes:
        places: Deployments, by program.
    """

    home: Home
    kube: Kube
    places: Mapping[str, Place]

    async def of(self, program: str) -> list[int]:
        """Return the main processes of a program; none: it does not run, or nobody can say."""
        if program in OF_SUPERVISOR:
            listed = read_json(self.home.status).get("programs", [])
            found = [one["pid"] for one in listed if one["name"] == OF_SUPERVISOR[program]]
            return [pid for pid in found if pid]
        try:
            pods = await self.pods_of(program)
        except TransientError:
            return []
        container = {**IN_PODS, **IN_RUNS}[program]
        return [
            int(status["containerID"].rpartition("/")[2])
            for pod in pods
            for key in ("containerStatuses", "initContainerStatuses")
            for status in pod.get("status", {}).get(key, [])
            if status["name"] == container and "running" in status.get("state", {})
        ]

    async def pods_of(self, program: str) -> list[Object]:
        """Return the pods in which a program runs.

        Raises:
            TransientError: The API server does not say.
        """
        return [pod for pod in (await self.kube.list(PODS)).items if self._is_of(program, pod)]

    def _is_of(self, program: str, pod: Object) -> bool:
        metadata = pod["metadata"]
        if program in IN_RUNS:
            return bool((metadata.get("labels") or {}).get(COMPONENT_LABEL) == "run")
        namespace, name = self.places[program]
        return bool(metadata["namespace"] == namespace) and metadata["name"].startswith(f"{name}-")


def all_of(pid: int) -> list[int]:
    """Return a process and those below it."""
    return [pid, *descendants(pid)]
