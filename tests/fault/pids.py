"""Which processes a program of a running system has at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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
AT_WORK = "status.phase!=Succeeded,status.phase!=Failed"
"""There are a thousand pods of runs that have ended, and a run is over before all are read."""

STORE = "store"
"""The PostgreSQL server of the router, where it has one."""

PROGRAMS = (*IN_PODS, *IN_RUNS, *OF_SUPERVISOR, STORE)


class Server(Protocol):
    """A server that no part of the system has started."""

    @property
    def pids(self) -> list[int]:
        """Its main process, and those below it."""


@dataclass(frozen=True)
class Pids:
    """Finds processes.

    Attributes:
        places: Deployments, by program.
        store: The PostgreSQL server; None: the router keeps all in a file.
    """

    home: Home
    kube: Kube
    places: Mapping[str, Place]
    store: Server | None = None

    async def of(self, program: str) -> list[int]:
        """Return the main processes of a program; none: it does not run, or nobody can say."""
        if program == STORE:
            return self.store.pids[:1] if self.store else []
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
        """Return the pods in which a program runs, without those of runs that have ended.

        Raises:
            TransientError: The API server does not say.
        """
        if program in IN_RUNS:
            of_runs = f"{COMPONENT_LABEL}=run"
            return (await self.kube.list(PODS, labelSelector=of_runs, fieldSelector=AT_WORK)).items
        namespace, name = self.places[program]
        found = await self.kube.list(PODS, namespace, labelSelector=f"{COMPONENT_LABEL}!=run")
        return [pod for pod in found.items if pod["metadata"]["name"].startswith(f"{name}-")]


def all_of(pid: int) -> list[int]:
    """Return a process and those below it."""
    return [pid, *descendants(pid)]
