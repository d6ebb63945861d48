"""This machine as a node: what every pod on it shares."""

import logging
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from sympozium.contract.errors import SympoziumError
from sympozium.contract.resources import EVENTS, GROUP, NODES, Object
from sympozium.contract.times import kube_time
from sympozium.kube.client import Kube
from sympozium.kube.errors import AlreadyExistsError
from sympozium_local.kubelet.limits import Limits
from sympozium_local.kubelet.logs import LogWriter
from sympozium_local.kubelet.room import MAX_PODS, Room, machine_room
from sympozium_local.kubelet.sandbox import syscalls
from sympozium_local.kubelet.sandbox.client import Sandbox

log = logging.getLogger(__name__)

NODE_NAME = "local"
SANDBOX_ANNOTATION = f"{GROUP}/sandbox"
"""On the node: what keeps its containers apart."""
FIRST_HOST_UID = 0x6A000000
"""Users of the machine that containers are, one per pod, when the kubelet runs as root.

Source: above what systemd hands out to containers and services (systemd.io/UIDS-GIDS).
"""
_HOST_UIDS = 1 << 16


@dataclass
class Node:
    """What pods need of the machine and of the kubelet."""

    kube: Kube
    sandbox: Sandbox
    limits: Limits
    data_dir: Path
    memory_dir: Path
    """In memory; for what must not reach a disk."""
    api_address: tuple[str, int]
    allowed_host_paths: tuple[Path, ...] = ()
    log_writers: dict[Path, LogWriter] = field(default_factory=dict)
    room: Room = field(default_factory=machine_room)
    _uids: "count[int]" = field(default_factory=count)

    def host_uid_for(self, pod: Object) -> int:
        """Return whom a pod's processes shall be on the machine; 0: whoever we are.

        Each pod is somebody else, except that those that are shown a folder of the
        machine are one: they write the same files.
        """
        if not syscalls.is_privileged():
            return 0
        if any("hostPath" in volume for volume in pod["spec"].get("volumes") or ()):
            return FIRST_HOST_UID + _HOST_UIDS
        return FIRST_HOST_UID + next(self._uids) % _HOST_UIDS

    def pod_dir(self, uid: str) -> Path:
        """Return the folder of a pod's logs and volumes."""
        return self.data_dir / "pods" / uid

    async def warn(self, pod: Object, reason: str, message: str) -> None:
        """Add a warning to the pod's events; if the API is away, to our log only."""
        metadata = pod["metadata"]
        now = kube_time(datetime.now(UTC))
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "generateName": f"{metadata['name'][:200]}.",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message[:1024],
            "source": {"component": "kubelet", "host": NODE_NAME},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self.kube.create(EVENTS, event)
        except SympoziumError as error:
            extra = {"action": "skip", "pod": metadata["name"], "cause": str(error)}
            log.warning("event not recorded", extra=extra)


async def register_node(kube: Kube, *, sandbox_kind: str) -> None:
    """Say to the API that this node is there and ready."""
    now = kube_time(datetime.now(UTC))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory}Ki", "pods": str(MAX_PODS)}
    machine = os.uname()
    node: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE_NAME,
            "labels": {"kubernetes.io/hostname": NODE_NAME, "kubernetes.io/os": "linux"},
            "annotations": {SANDBOX_ANNOTATION: sandbox_kind},
        },
    }
    try:
        await kube.create(NODES, node)
    except AlreadyExistsError:
        await kube.patch(NODES, None, NODE_NAME, {"metadata": node["metadata"]})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    status = {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": [ready],
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "nodeInfo": {
            "kernelVersion": machine.release,
            "operatingSystem": "linux",
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine.machine, ""),
            "containerRuntimeVersion": f"process://{sandbox_kind}",
            "kubeletVersion": "sympozium",
        },
    }
    await kube.patch(NODES, None, NODE_NAME, {"status": status}, subresource="status")
