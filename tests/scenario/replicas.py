"""Several controllers and routers of one running system, and a load that is told apart."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from sympozium.contract.resources import DEPLOYMENTS, LEASES, PODS, Object
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person, replies_to

NAMESPACE = "sympozium-system"
WAIT_S = 60.0


async def rolled_out(kube: Kube, namespace: str, name: str) -> None:
    """Return when a Deployment is as it should be, and nothing of an earlier one is left."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if _is_rolled_out(await kube.get(DEPLOYMENTS, namespace, name)):
                return
            await asyncio.sleep(0.1)


def _is_rolled_out(deployment: Object) -> bool:
    status, wanted = deployment.get("status") or {}, deployment["spec"]["replicas"]
    counts = {status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas")}
    is_seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    return is_seen and counts == {wanted}


async def containers(kube: Kube, program: str) -> dict[str, str]:
    """Return the id of the container of each running replica of a program, by its pod's name."""
    labels = f"sympozium.ai/component={program}"
    listed = await kube.list(PODS, NAMESPACE, labelSelector=labels)
    return {
        pod["metadata"]["name"]: status["containerID"]
        for pod in listed.items
        for status in pod["status"].get("containerStatuses", [])
        if "running" in status["state"]
    }


async def leader(kube: Kube) -> str:
    """Return the pod of the controller that leads."""
    lease = await kube.get(LEASES, NAMESPACE, "sympozium-controller")
    return str(lease["spec"]["holderIdentity"]).rpartition("_")[0]


async def until_another_leads(kube: Kube, pod: str) -> str:
    """Return who leads once it is not *pod*."""
    async with asyncio.timeout(WAIT_S):
        while True:
            now = await leader(kube)
            if now not in {pod, ""}:
                return now
            await asyncio.sleep(0.05)


@dataclass
class Load:
    """People who ask, each in a conversation of their own, one message after another."""

    person: Person
    name: str
    asked: dict[str, list[str]] = field(default_factory=dict)

    async def ask(self, *, people: int, messages: int, pause_s: float = 0.3) -> None:
        """Hand everything in, at the pace of people."""
        async with asyncio.TaskGroup() as group:
            for number in range(people):
                conversation = f"{self.name}-{number}"
                group.create_task(self._ask(conversation, messages, pause_s))

    async def _ask(self, conversation: str, messages: int, pause_s: float) -> None:
        ids = self.asked.setdefault(conversation, [])
        for number in range(messages):
            client_id = f"{conversation}-m{number}"
            ids.append(await self.person.say(conversation, f"say {number}", client_id=client_id))
            await asyncio.sleep(pause_s)

    async def check(self) -> None:
        """Return when everything is answered: once, in order, without an error."""
        for conversation, ids in self.asked.items():
            for message_id in ids:
                await self.person.end_of(conversation, message_id)
            transcript = await self.person.transcript(conversation)
            answers = [entry for entry in transcript if entry["role"] == "assistant"]
            assert [one["in_reply_to"] for one in answers] == ids, conversation
            assert [_error(one) for one in answers] == [None] * len(ids), conversation
            assert all(len(replies_to(transcript, one)) == 1 for one in ids)


def _error(entry: dict[str, Any]) -> Any:
    return entry["error"]
