"""An API server in which the test plays Job controller and kubelet, beside the controller."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Bus
from sympozium.contract.crds import definition_objects
from sympozium.contract.names import RunUid
from sympozium.contract.resources import (
    ADMISSION_POLICIES,
    ADMISSION_POLICY_BINDINGS,
    AGENT_RUNS,
    AGENTS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONVERSATION_LABEL,
    CUSTOM_RESOURCE_DEFINITIONS,
    JOBS,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    Object,
    Resource,
)
from sympozium.contract.run_events import record
from sympozium.contract.subjects import RUNS_CONSUMER, run_out
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import NotFoundError
from sympozium_controller.program import run_controller
from sympozium_controller.settings import BusSettings, PodSettings, Settings
from tests.fixtures.api_server import api_server
from tests.fixtures.nats_server import free_port
from tests.fixtures.tenants import make_tenant

NAMESPACE = "default"
SYSTEM_NAMESPACE = "sympozium-system"
WAIT_S = 10.0
BARRIER = "barrier"
"""Name of a run that ends as soon as the controller looks at it."""

CHART = Path(__file__).parents[2] / "helm" / "sympozium"
RBAC = CHART / "rbac"

_RIGHTS = (
    SERVICE_ACCOUNTS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLES,
    ROLE_BINDINGS,
    ADMISSION_POLICIES,
    ADMISSION_POLICY_BINDINGS,
)
_KINDS = {one.kind: one for one in _RIGHTS}

Says = Callable[[Object], Any]


@dataclass
class Cluster:
    """A cluster as its administrator and as its kubelet see it."""

    kube: Kube
    url: str
    ca_file: Path
    directory: Path
    agent: str = "helper"
    _count: int = field(default=0)

    async def install(self) -> None:
        """Apply our kinds and the rights of our programs, as a deployment does."""
        for definition in definition_objects():
            await self.kube.apply(CUSTOM_RESOURCE_DEFINITIONS, definition, manager="test")
        await make_tenant(self.kube, NAMESPACE)
        for name in ("rbac/controller", "rbac/router", "rbac/tenants", "admission/tenants"):
            for obj in yaml.safe_load_all((CHART / f"{name}.yaml").read_text()):
                await self.kube.apply(_KINDS[obj["kind"]], obj, manager="test")

    async def token(
        self,
        account: str,
        *,
        namespace: str = NAMESPACE,
        audience: str = "",
        pod: Object | None = None,
    ) -> str:
        """Return a token of a ServiceAccount, as a kubelet asks for it."""
        spec: Object = {"expirationSeconds": 3600, "audiences": [audience] if audience else []}
        if pod is not None:
            spec["boundObjectRef"] = {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": pod["metadata"]["name"],
                "uid": pod["metadata"]["uid"],
            }
        answer = await self.kube.request(
            "POST",
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token",
            body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec},
        )
        token: str = answer["status"]["token"]
        return token

    def endpoint_of(self, token: str) -> Endpoint:
        """Return the API server as the bearer of *token* reaches it."""
        self._count += 1
        path = self.directory / f"token-{self._count}"
        path.write_text(token)
        return Endpoint(self.url, self.ca_file, path)

    async def create_agent(self, **spec: Any) -> Object:
        """Create the Agent that runs name."""
        return await self.kube.create(
            AGENTS,
            {
                "apiVersion": AGENTS.api_version,
                "kind": AGENTS.kind,
                "metadata": {"name": self.agent, "namespace": NAMESPACE},
                "spec": {"agents": {"default": {"model": "test-model", "timeout": "5m"}}, **spec},
            },
        )

    async def create_run(
        self,
        name: str,
        *,
        namespace: str = NAMESPACE,
        conversation: str = "",
        sequence: float = 1,
        **spec: Any,
    ) -> Object:
        """Create an AgentRun, as the router does when there is a *conversation*."""
        metadata: Object = {"name": name, "namespace": namespace}
        if conversation:
            metadata["labels"] = {CONVERSATION_LABEL: conversation}
            spec["source"] = {
                "channel": "web",
                "conversation": conversation,
                "messageId": f"web:{NAMESPACE}/web:{conversation}:{sequence}",
                "sequence": sequence,
                "sender": {"platform": "web", "userId": "local"},
            }
        return await self.kube.create(
            AGENT_RUNS,
            {
                "apiVersion": AGENT_RUNS.api_version,
                "kind": AGENT_RUNS.kind,
                "metadata": metadata,
                "spec": {"agentRef": self.agent, "task": "hello", **spec},
            },
        )

    async def until(
        self, resource: Resource, name: str, says: Says, *, namespace: str = NAMESPACE
    ) -> Object:
        """Return an object once *says* holds of it."""
        async with asyncio.timeout(WAIT_S):
            listed = await self.kube.list(resource, namespace)
            for obj in listed.items:
                if obj["metadata"]["name"] == name and says(obj):
                    return obj
            since = listed.resource_version
            async for event in self.kube.watch(resource, namespace, since=since):
                obj = event.object
                if obj["metadata"].get("name") == name and event.type != "DELETED" and says(obj):
                    return obj
        raise AssertionError("the watch ended")

    async def until_gone(self, resource: Resource, name: str) -> None:
        """Return once there is no such object."""
        async with asyncio.timeout(WAIT_S):
            listed = await self.kube.list(resource, NAMESPACE)
            if all(obj["metadata"]["name"] != name for obj in listed.items):
                return
            since = listed.resource_version
            async for event in self.kube.watch(resource, NAMESPACE, since=since):
                if event.object["metadata"].get("name") == name and event.type == "DELETED":
                    return

    async def job(self, name: str) -> Object:
        """Return a run's Job once the controller has created it."""
        return await self.until(JOBS, name, bool)

    async def queued(self, name: str, *, namespace: str = NAMESPACE) -> Object:
        """Return a run once the controller says that it waits."""
        return await self.until(
            AGENT_RUNS,
            name,
            lambda run: (run.get("status") or {}).get("phase") == "Queued",
            namespace=namespace,
        )

    async def knows_every_run(self, *, namespace: str = NAMESPACE) -> None:
        """Return once the controller has looked at each run that was created there before."""
        await self.create_run(BARRIER, namespace=namespace, agentRef="nobody")
        await self.ended(BARRIER, namespace=namespace)

    async def ended(self, name: str, *, namespace: str = NAMESPACE) -> Object:
        """Return a run's status once it is terminal."""
        run = await self.until(
            AGENT_RUNS,
            name,
            lambda run: "finishedAt" in (run.get("status") or {}),
            namespace=namespace,
        )
        status: Object = run["status"]
        return status

    async def exists(self, resource: Resource, name: str) -> bool:
        """Return whether the object is there now."""
        try:
            await self.kube.get(resource, NAMESPACE, name)
        except NotFoundError:
            return False
        return True

    async def create_pod(self, job: Object) -> Object:
        """Create the pod of a Job, as the Job controller does."""
        template, metadata = job["spec"]["template"], job["metadata"]
        owner = {
            "apiVersion": JOBS.api_version,
            "kind": JOBS.kind,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
        return await self.kube.create(
            PODS,
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **template["metadata"],
                    "name": f"{metadata['name']}-pod",
                    "namespace": NAMESPACE,
                    "ownerReferences": [owner],
                },
                "spec": template["spec"],
            },
        )

    async def set_status(self, resource: Resource, name: str, status: Object) -> None:
        """Merge into an object's status, as the kubelet and the Job controller do."""
        patch = {"status": status}
        await self.kube.patch(resource, NAMESPACE, name, patch, subresource="status")

    async def agent_ended(self, pod: Object, *, exit_code: int, reason: str = "Error") -> None:
        """Report that the pod of a run has ended."""
        ended = {"exitCode": exit_code, "reason": reason, "finishedAt": "2026-01-02T03:04:05Z"}
        container = {
            "name": "agent",
            "image": "x",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        status = {"phase": "Failed" if exit_code else "Succeeded", "containerStatuses": [container]}
        await self.set_status(PODS, pod["metadata"]["name"], status)


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Cluster]:
    """Yield an API server with our kinds and the rights of our programs."""
    async with api_server(folder / "api") as (kube, served):
        cluster = Cluster(kube, served.url, served.ca_file, folder)
        await cluster.install()
        yield cluster


async def until_heard(bus: NatsBus) -> None:
    """Return once the controller has dealt with all that runs have said."""
    jetstream = bus.client.jetstream()
    async with asyncio.timeout(WAIT_S):
        while True:
            consumer = await jetstream.consumer_info(RUNS_CONSUMER.stream, RUNS_CONSUMER.name)
            if not consumer.num_pending and not consumer.num_ack_pending:
                return
            await asyncio.sleep(0.02)


async def say(bus: Bus, run: Object, line: Any, *, number: int = 1) -> None:
    """Publish a line of a run, as its bridge does."""
    uid = RunUid(run["metadata"]["uid"])
    await bus.publish(
        run_out(NAMESPACE, uid),
        record(line, id="line", time=datetime.now(UTC)),
        message_id=f"{uid}/{number}",
    )


def settings_for(bus: BusSettings) -> Settings:
    """Return the settings of a controller for a test."""
    return Settings(
        bus=bus,
        pods=PodSettings(nats_url=bus.url),
        system_namespace=SYSTEM_NAMESPACE,
        health_port=free_port(),
    )


@asynccontextmanager
async def controller(cluster: Cluster, settings: Settings) -> AsyncIterator[None]:
    """Run the controller as its ServiceAccount, with the rights that it is deployed with."""
    token = await cluster.token("sympozium-controller", namespace=SYSTEM_NAMESPACE)
    stop = asyncio.Event()
    async with connect(cluster.endpoint_of(token)) as kube, asyncio.TaskGroup() as group:
        group.create_task(run_controller(kube, settings, stop))
        try:
            yield
        finally:
            stop.set()
