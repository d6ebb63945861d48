"""Two tenants with an Agent and a Channel of the same names: nothing of one reaches the other."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    TENANT_LABEL,
    Object,
)
from sympozium.contract.subjects import RUNS, reply_prefix
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, NotFoundError
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.nats_server import free_port
from tests.fixtures.system import ScriptedModel, System

HERE, THERE = "default", "tenant-b"
COUNT = 3
TOKEN = "the-second-tenants-token"
COPIED = ("name", "namespace")

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Tenant:
    """One tenant, somebody who talks to it, and a word that only they use."""

    namespace: str
    person: Person
    word: str

    def question(self, number: int) -> str:
        return f"{self.word} asks <{number}>"

    def reply(self, number: int) -> str:
        return f"{self.word} is told <{number}>"


async def copied(kube: Kube, resource: str, name: str) -> Object:
    """Return what an object of the first tenant is in the second."""
    kind = {"agent": AGENTS, "channel": CHANNELS, "secret": SECRETS}[resource]
    found = await kube.get(kind, HERE, name)
    metadata = {"name": name, "namespace": THERE}
    content: Object = {key: found[key] for key in ("spec", "data") if key in found}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content}


async def until_web_chat(kube: Kube) -> None:
    """Return when the second tenant's web chat is up."""
    async with asyncio.timeout(120):
        while True:
            try:
                found = await kube.get(DEPLOYMENTS, THERE, "channel-web")
                if (found.get("status") or {}).get("availableReplicas"):
                    return
            except NotFoundError:
                pass
            await asyncio.sleep(0.1)


async def until_gone(kube: Kube) -> None:
    """Return when the second tenant's namespace is there no more."""
    async with asyncio.timeout(120):
        while True:
            try:
                await kube.get(NAMESPACES, None, THERE)
            except NotFoundError:
                return
            await asyncio.sleep(0.1)


async def furnish(kube: Kube) -> int:
    """Make the second tenant, like the first; return the port of its web chat."""
    labels = {TENANT_LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    await kube.create(NAMESPACES, {"metadata": {"name": THERE, "labels": labels}})
    agent, channel = await copied(kube, "agent", "assistant"), await copied(kube, "channel", "web")
    for reference in agent["spec"].get("authRefs") or []:
        await kube.create(SECRETS, await copied(kube, "secret", reference["secret"]))
    token = {"metadata": {"name": "token", "namespace": THERE}, "stringData": {"token": TOKEN}}
    await kube.create(SECRETS, token)
    channel["spec"]["web"] = {"port": free_port(), "tokenSecretRef": "token"}
    await kube.create(AGENTS, agent)
    await kube.create(CHANNELS, channel)
    port: int = channel["spec"]["web"]["port"]
    return port


@asynccontextmanager
async def second_tenant(kube: Kube, http: aiohttp.ClientSession) -> AsyncIterator[Person]:
    """Yield somebody at the web chat of a second tenant, which goes when the block is left."""
    port = await furnish(kube)
    try:
        await until_web_chat(kube)
        service = await kube.get(SERVICES, THERE, "sympozium-channel-web")
        address = service["spec"].get("clusterIP") or "127.0.0.1"
        headers = {"Host": f"127.0.0.1:{port}", "Authorization": f"Bearer {TOKEN}"}
        yield Person(http, f"http://{address}:{port}", headers)
    finally:
        await kube.delete(NAMESPACES, None, THERE)
        await until_gone(kube)


@asynccontextmanager
async def bus_of(system: System, kube: Kube) -> AsyncIterator[NatsBus]:
    """Connect to the bus as the controller does."""
    secret = (await kube.get(SECRETS, "sympozium-system", "sympozium-bus"))["data"]
    user, password = (base64.b64decode(secret[key]).decode() for key in ("user", "password"))
    prefix = reply_prefix("controller")
    address = Address(system.bus_url, "test", prefix, user=user, password=password)
    async with connect(address) as bus:
        yield bus


async def said_on(bus: NatsBus, namespace: str) -> dict[str, bytes]:
    """Return everything that a tenant's runs said, by its sequence; the bus tells no more."""
    found: dict[str, bytes] = {}
    since = 1
    while stored := await bus.next(RUNS, f"runs.{namespace}.*.out", since=since):
        found[f"{RUNS}/{stored.sequence}"] = stored.data
        since = stored.sequence + 1
    return found


def names_of(runs: list[Object]) -> Iterator[str]:
    for run in runs:
        yield run["metadata"]["uid"]


async def talk(tenant: Tenant, id_: str) -> None:
    """Ask in conversations that both tenants have, under an id that both use."""

    async def converse(number: int) -> None:
        conversation = f"shared-{id_}-{number}"
        asked = await tenant.person.say(conversation, tenant.question(number), client_id=id_)
        await tenant.person.end_of(conversation, asked)
        transcript = await tenant.person.transcript(conversation)
        assert [entry["text"] for entry in transcript] == [
            tenant.question(number),
            tenant.reply(number),
        ]
        assert len(replies_to(transcript, asked)) == 1

    async with asyncio.TaskGroup() as group:
        for number in range(COUNT):
            group.create_task(converse(number))


async def pods_of(kube: Kube, namespace: str) -> set[str]:
    """Return by what the logs of a tenant's pods are told apart: a name or a uid."""
    pods = (await kube.list(PODS, namespace)).items
    return {f"{namespace}/{one['metadata']['name']}" for one in pods} | {
        one["metadata"]["uid"] for one in pods
    }


async def test_nothing_crosses_between_tenants_with_the_same_names(
    system: System,
    person: Person,
    kube: Kube,
    http: aiohttp.ClientSession,
    model: ScriptedModel,
) -> None:
    async with second_tenant(kube, http) as other, bus_of(system, kube) as bus:
        tenants = (Tenant(HERE, person, "heron"), Tenant(THERE, other, "badger"))
        await model.script(
            *(
                {"match": one.question(number), "answer": one.reply(number)}
                for one in tenants
                for number in range(COUNT)
            )
        )
        id_ = secrets.token_hex(4)  # a namespace of that name may have been there before
        async with asyncio.TaskGroup() as group:
            for one in tenants:
                group.create_task(talk(one, id_))
        runs = {
            one.namespace: (await kube.list(AGENT_RUNS, one.namespace)).items for one in tenants
        }
        logs = {one.namespace: await pods_of(kube, one.namespace) for one in tenants}
        written = system.logs()
        for one, stranger in (tenants, tenants[::-1]):
            told = await said_on(bus, one.namespace)
            assert [place for place, data in told.items() if stranger.word.encode() in data] == []
            assert stranger.word not in json.dumps(runs[one.namespace])
            foreign = [uid.encode() for uid in names_of(runs[stranger.namespace])]
            own_logs = [
                text
                for place, text in written.items()
                if any(mark in place for mark in logs[one.namespace])
            ]
            assert own_logs
            assert not any(uid in text for text in own_logs for uid in foreign)
            assert not any(stranger.word.encode() in text for text in own_logs)


@asynccontextmanager
async def agent_here(kube: Kube) -> AsyncIterator[str]:
    """Yield the name of an Agent that the first tenant alone has ever had."""
    name = f"only-here-{secrets.token_hex(3)}"
    agent: Object = {
        "apiVersion": AGENTS.api_version,
        "kind": AGENTS.kind,
        "metadata": {"name": name, "namespace": HERE},
        "spec": {"agents": {"default": {"model": "demo"}}},
    }
    await kube.create(AGENTS, agent)
    try:
        yield name
    finally:
        await kube.delete(AGENTS, HERE, name)


async def test_a_run_names_no_agent_of_another_tenant(
    kube: Kube, http: aiohttp.ClientSession
) -> None:
    async with second_tenant(kube, http), agent_here(kube) as name:
        run: Object = {
            "apiVersion": AGENT_RUNS.api_version,
            "kind": AGENT_RUNS.kind,
            "metadata": {"name": "reaching-over", "namespace": THERE},
            "spec": {"agentRef": name, "task": "hello"},
        }
        try:
            await kube.create(AGENT_RUNS, run)
        except ForbiddenError:
            return  # admission says it at once
        async with asyncio.timeout(60):
            while True:
                status = (await kube.get(AGENT_RUNS, THERE, "reaching-over")).get("status") or {}
                if status.get("phase") == "Failed":
                    break
                await asyncio.sleep(0.1)
        assert status["error"]["reason"] == "AgentNotFound"
