"""Agents of one's own behind the web channel of the release, and their runs at work."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    EVENTS,
    JOBS,
    PODS,
    Object,
    Resource,
)
from sympozium.contract.times import parse_kube_time
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from sympozium_controller.runs.quota import quantity
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel
from tests.kube.cluster import Clients, KubeCluster
from tests.kube.release import TENANT
from tests.scenario.acting import pods_of, run_of, started_run
from tests.scenario.test_endings import agent, channel

WAIT_S = 60.0
SLOW: dict[str, Any] = {"match": "slowly", "answer": "word " * 12, "delay_s": 1}
ACTS: dict[str, Any] = {"match": "act", "tool": "list_pods", "repeat_tool": True, "delay_s": 1}
"""Calls a tool again and again, a second apart."""


@dataclass(frozen=True)
class Floor:
    """The release, with a person in front of it and the cluster behind it."""

    cluster: KubeCluster
    clients: Clients
    kube: Kube
    person: Person
    model: ScriptedModel
    model_url: str

    @asynccontextmanager
    async def agents(self, *agents: Object) -> AsyncIterator[None]:
        """Have these Agents answer at the web channel while the block lasts."""
        for one in agents:
            await self.kube.apply(AGENTS, one, manager="test")
        names = [one["metadata"]["name"] for one in agents]
        try:
            async with channel(self.person, self.kube, agents=names):
                yield
        finally:
            for name in names:
                await self.kube.delete(AGENTS, TENANT, name)

    def agent(self, name: str, *, skills: tuple[str, ...] = (), **config: Any) -> Object:
        """Describe an Agent with the test's model, unless *config* has another."""
        made = agent(name, **{"baseURL": self.model_url, **config})
        made["spec"]["skills"] = [{"skillPackRef": skill} for skill in skills]
        return made

    async def ask(self, name: str, text: str) -> Object:
        """Ask an Agent in a conversation of its own; return what ends the message."""
        return await self.person.ask(f"kube-{name}", f"@{name} {text}")

    async def say(self, name: str, text: str) -> tuple[str, Object]:
        """Say something to an Agent; return the message's id and its run."""
        message_id = await self.person.say(f"kube-{name}", f"@{name} {text}")
        return message_id, await started_run(self.kube, message_id)

    async def end_of(self, name: str, message_id: str) -> Object:
        """Return what ends a message to an Agent."""
        return await self.person.end_of(f"kube-{name}", message_id)

    async def run_behind(self, entry: Object) -> Object:
        """Return the run of the message that an entry answers."""
        run = await run_of(self.kube, entry["in_reply_to"])
        assert run is not None
        return run

    async def pod_at_work(self, run: Object) -> Object:
        """Return the pod of a run once its agent runs."""
        return await self._pod(run, is_at_work)

    async def next_pod(self, run: Object, before: Object) -> Object:
        """Return the pod that came in the place of one *before*."""
        return await self._pod(run, lambda pod: uid_of(pod) != uid_of(before))

    async def _pod(self, run: Object, says: Callable[[Object], bool]) -> Object:
        async with asyncio.timeout(WAIT_S):
            while True:
                for pod in await pods_of(self.kube, run):
                    if says(pod):
                        return pod
                await asyncio.sleep(0.1)

    async def until(self, run: Object, says: Callable[[Object], bool], wait_s: float) -> Object:
        """Return a run once *says* holds of it."""
        async with asyncio.timeout(wait_s):
            while True:
                now = await self.kube.get(AGENT_RUNS, TENANT, run["metadata"]["name"])
                if says(now):
                    return now
                await asyncio.sleep(0.2)

    async def calls(self, match: str) -> int:
        """Return how often the model was asked what *match* is for."""
        async with self.model.session.get(f"{self.model.url}/calls") as answer:
            counts: dict[str, int] = (await answer.json())["by_match"]
            return counts.get(match, 0)

    async def has_acted(self) -> None:
        """Return when a run of `ACTS` has had an answer of its tool."""
        await self.is_asked(ACTS["match"], times=2)

    async def is_asked(self, match: str, times: int = 1) -> None:
        """Return when the model was asked so often what matches, by runs that reach the bus."""
        async with asyncio.timeout(WAIT_S):
            while await self.calls(match) < times:  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)

    async def evict(self, pod: Object) -> None:
        """Have a pod be evicted, as a drain does."""
        name = pod["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": TENANT},
        }
        path = f"/api/v1/namespaces/{TENANT}/pods/{name}/eviction"
        await self.kube.request("POST", path, body=eviction)

    @asynccontextmanager
    async def object(self, path: str, body: Object) -> AsyncIterator[None]:
        """Have an object be there while the block lasts, and for the controllers to see it."""
        await self.kube.request("POST", path, body=body)
        try:
            yield
        finally:
            await self.kube.request("DELETE", f"{path}/{body['metadata']['name']}")

    async def gone_with_its_pods(self, run: Object) -> None:
        """Return when neither Job nor pod of a run is there any more."""
        await self.gone(JOBS, run["metadata"]["name"])
        async with asyncio.timeout(WAIT_S):
            while await pods_of(self.kube, run):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.2)

    async def most_of_it(self) -> Object:
        """Return resources of which the node has room for one container's and not for two."""
        (node,) = self.clients.get("nodes")["items"]
        free = quantity(node["status"]["allocatable"]["cpu"]) - await self._requested()
        return {"requests": {"cpu": f"{int(free * 700)}m"}}

    async def _requested(self) -> Decimal:
        pods = [
            pod
            for pod in (await self.kube.list(PODS)).items
            if pod["status"]["phase"] in {"Pending", "Running"}
        ]
        return sum(
            (
                quantity(container.get("resources", {}).get("requests", {}).get("cpu", "0"))
                for pod in pods
                for container in pod["spec"]["containers"]
            ),
            Decimal(0),
        )

    async def rival(self, *, priority: str) -> Object:
        """Describe a pod that needs what a run has; where it is made, the run has to go."""
        (node,) = self.clients.get("nodes")["items"]
        free = quantity(node["status"]["allocatable"]["cpu"]) - await self._requested()
        security = {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        container = {
            "name": "rival",
            "image": "localhost/sympozium/agent:dev",
            "command": ["python", "-c", "import time; time.sleep(600)"],
            "resources": {"requests": {"cpu": f"{int(free * 1000) + 200}m"}},
            "securityContext": security,
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "rival", "namespace": TENANT},
            "spec": {
                "priorityClassName": priority,
                "automountServiceAccountToken": False,
                "containers": [container],
            },
        }

    @asynccontextmanager
    async def nothing_heard_of_the_node(self) -> AsyncIterator[None]:
        """Have the node's kubelet be dead while the block lasts."""
        self.cluster.kill("kubelet")
        try:
            yield
        finally:
            self.cluster.start("kubelet")

    async def counted(self, quota: str) -> None:
        """Return when a quota is in force."""

        def is_counted() -> bool:
            return "used" in self.clients.get("-n", TENANT, "resourcequota", quota)["status"]

        async with asyncio.timeout(WAIT_S):
            while not is_counted():  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.2)

    async def told_by_an_event(self, run: Object, reason: str) -> None:
        """Return when an event of that reason is there about a pod of a run."""
        begins = run["metadata"]["name"] + "-"
        async with asyncio.timeout(WAIT_S):
            while True:
                events = await self.kube.list(EVENTS, TENANT, fieldSelector=f"reason={reason}")
                if any(one["involvedObject"]["name"].startswith(begins) for one in events.items):
                    return
                await asyncio.sleep(0.2)

    async def ask_until_refused(self, name: str) -> Object:
        """Ask an Agent again and again, until a rule that was just made is in force."""
        for _ in range(10):
            entry = await self.ask(name, "hello")
            if entry["error"] is not None:
                return entry
        raise AssertionError("nothing is refused")

    async def gone(self, resource: Resource, name: str) -> None:
        """Return when an object of the tenant is no more there."""
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    await self.kube.get(resource, TENANT, name)
                except NotFoundError:
                    return
                await asyncio.sleep(0.2)


def is_at_work(pod: Object) -> bool:
    """Return whether the agent of a pod runs."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    is_leaving = "deletionTimestamp" in pod["metadata"]
    return not is_leaving and any("running" in one.get("state", {}) for one in statuses)


def has_ended(run: Object) -> bool:
    """Return whether a run is terminal."""
    return bool(run.get("status", {}).get("finishedAt"))


def uid_of(obj: Object) -> str:
    """Return an object's uid."""
    uid: str = obj["metadata"]["uid"]
    return uid


def created(obj: Object) -> datetime:
    """Return when an object was created."""
    return parse_kube_time(obj["metadata"]["creationTimestamp"])


def told(entry: Object) -> tuple[str, str]:
    """Return the code and the sentence of an end without an answer."""
    assert entry["error"] is not None, entry["text"]
    return entry["error"]["code"], entry["error"]["message"]


def in_text(manifest: Object) -> str:
    """Return a manifest as kubectl takes it."""
    return json.dumps(manifest)
