"""A cluster with a few objects in it, and service accounts that may read some of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import (
    AGENT_RUNS,
    API_VERSION,
    CUSTOM_RESOURCE_DEFINITIONS,
    EVENTS,
    JOBS,
    NAMESPACES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    Object,
)
from sympozium.kube.client import Kube
from sympozium_local.apiserver.server import Endpoint
from tests.fixtures.api_server import api_server

READABLE = ("pods", "pods/log", "events", "jobs", "agentruns")


@dataclass(frozen=True)
class Cluster:
    """A running API server."""

    kube: Kube
    endpoint: Endpoint
    folder: Path

    def environment(self, account: Path) -> dict[str, str]:
        """Return what the kubelet tells a container of *account*."""
        address = urlsplit(self.endpoint.url)
        return {
            "KUBERNETES_SERVICE_HOST": address.hostname or "",
            "KUBERNETES_SERVICE_PORT": str(address.port),
            "SYMPOZIUM_SERVICE_ACCOUNT_DIR": str(account),
        }

    async def account(self, name: str, *readable: str) -> Path:
        """Make a service account that may read *readable*; return its folder as pods see it."""
        metadata = {"name": name, "namespace": "default"}
        await self.kube.create(SERVICE_ACCOUNTS, {"metadata": metadata})
        if readable:
            rule = {"apiGroups": ["*"], "resources": list(readable), "verbs": ["get", "list"]}
            await self.kube.create(ROLES, {"metadata": metadata, "rules": [rule]})
            subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
            binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
            await self.kube.create(ROLE_BINDINGS, binding)
        token = await self.kube.request(
            "POST",
            f"/api/v1/namespaces/default/serviceaccounts/{name}/token",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        )
        folder = self.folder / name
        folder.mkdir()
        (folder / "token").write_text(token["status"]["token"])
        (folder / "ca.crt").write_bytes(self.endpoint.ca_file.read_bytes())
        return folder

    async def fill(self) -> None:
        """Create two pods, a job, a run and an event."""
        await self._create_pod("web-1", {"app": "web"}, _running(restarts=3))
        await self._create_pod("broken", {"app": "db"}, _crashing())
        job = {"metadata": _metadata("sum"), "spec": {"template": {"spec": _pod_spec("Never")}}}
        await self.kube.create(JOBS, job)
        run = {"metadata": _metadata("web-abc"), "spec": {"agentRef": "helper", "task": "x"}}
        await self.kube.create(AGENT_RUNS, {"apiVersion": API_VERSION, "kind": "AgentRun"} | run)
        about = {"kind": "Pod", "name": "web-1", "namespace": "default"}
        event = {"involvedObject": about, "reason": "Pulled", "message": "It is\nthere.  Now."}
        await self.kube.create(EVENTS, {"metadata": _metadata("e1"), "type": "Normal"} | event)

    async def _create_pod(self, name: str, labels: dict[str, str], status: Object) -> None:
        metadata = _metadata(name) | {"labels": labels}
        pod = await self.kube.create(PODS, {"metadata": metadata, "spec": _pod_spec("Always")})
        await self.kube.replace(PODS, pod | {"status": status}, subresource="status")


def _metadata(name: str) -> Object:
    return {"name": name, "namespace": "default"}


def _pod_spec(restart_policy: str) -> Object:
    container = {"name": "main", "image": "sympozium/agent:local"}
    return {"containers": [container], "restartPolicy": restart_policy}


def _running(*, restarts: int) -> Object:
    container = {"name": "main", "restartCount": restarts, "ready": True, "image": "i"}
    container |= {"imageID": "i", "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}
    condition = {"type": "Ready", "status": "True"}
    return {"phase": "Running", "containerStatuses": [container], "conditions": [condition]}


def _crashing() -> Object:
    container = {"name": "main", "restartCount": 7, "ready": False, "image": "i", "imageID": "i"}
    container |= {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    return {"phase": "Running", "containerStatuses": [container]}


@asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Yield an API server with our kinds and a namespace `other`."""
    async with api_server(folder / "api") as (kube, served):
        for definition in definition_objects():
            await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition)
        await kube.create(NAMESPACES, {"metadata": {"name": "other"}})
        yield Cluster(kube, served, folder)
