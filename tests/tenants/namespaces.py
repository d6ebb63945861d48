"""Namespaces whose label comes and goes, and what is in them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sympozium.contract.resources import (
    AGENTS,
    CHANNELS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    LIMIT_RANGES,
    NAMESPACES,
    NETWORK_POLICIES,
    PART_OF_LABEL,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    TENANT_LABEL,
    Object,
)
from sympozium.kube.client import Kube, connect
from sympozium.kube.tenants import TenantInformer, Tenants
from tests.controller.cluster import SYSTEM_NAMESPACE, Cluster

KINDS_OF_OURS = (
    CHANNELS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    JOBS,
    LIMIT_RANGES,
    NETWORK_POLICIES,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)


async def until(is_so: Callable[[], Awaitable[object]], *, within_s: float = 15) -> None:
    """Wait for what nobody tells us of."""
    async with asyncio.timeout(within_s):
        while not await is_so():  # noqa: ASYNC110 - the other side has no event
            await asyncio.sleep(0.02)


async def create_namespace(kube: Kube, name: str, **labels: str) -> None:
    """Create a namespace that is no tenant, unless *labels* say so."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    await kube.create(NAMESPACES, body)


async def label(kube: Kube, name: str, value: str | None) -> None:
    """Set the label of a tenant, or (None) take it away."""
    await kube.patch(NAMESPACES, None, name, {"metadata": {"labels": {TENANT_LABEL: value}}})


def agent(namespace: str, name: str = "helper") -> Object:
    """Return an Agent."""
    return {
        "apiVersion": AGENTS.api_version,
        "kind": AGENTS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"agents": {"default": {"model": "test-model", "timeout": "5m"}}},
    }


def channel(namespace: str, name: str = "web") -> Object:
    """Return a Channel that everybody may use."""
    return {
        "apiVersion": CHANNELS.api_version,
        "kind": CHANNELS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "web", "agentRef": "helper", "access": {"users": ["*"]}},
    }


async def ours_in(kube: Kube, namespace: str) -> set[str]:
    """Return `Kind/name` of everything in *namespace* that bears the label of what we make."""
    selector = f"{PART_OF_LABEL}=sympozium"
    return {
        f"{kind.kind}/{one['metadata']['name']}"
        for kind in KINDS_OF_OURS
        for one in (await kube.list(kind, namespace, labelSelector=selector)).items
    }


@asynccontextmanager
async def as_program(cluster: Cluster, program: str) -> AsyncIterator[Kube]:
    """Yield a client that may do what a program of the system may."""
    token = await cluster.token(f"sympozium-{program}", namespace=SYSTEM_NAMESPACE)
    async with connect(cluster.endpoint_of(token)) as kube:
        yield kube


@asynccontextmanager
async def following(kube: Kube) -> AsyncIterator[tuple[Tenants, TenantInformer]]:
    """Keep up copies of the Agents of all tenants while the block lasts."""
    tenants, stop = Tenants(kube), asyncio.Event()
    agents = tenants.informer(AGENTS)
    tenants.informer(CHANNELS)
    async with asyncio.TaskGroup() as group:
        group.create_task(tenants.run(stop))
        await tenants.synced.wait()
        yield tenants, agents
        stop.set()


def held(informer: TenantInformer) -> set[tuple[str, str]]:
    """Return the keys of what is held."""
    return {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in informer.all()}
