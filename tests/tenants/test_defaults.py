"""Quota and limits of tenants: the operator's where they have none of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    LIMIT_RANGES,
    RESOURCE_QUOTAS,
    TENANT_LABEL,
    Object,
    Resource,
)
from sympozium.kube.client import Kube
from sympozium_controller.settings import Settings, TenantDefaults, read_settings
from tests.controller.cluster import Cluster, controller
from tests.tenants.namespaces import agent, create_namespace, label, ours_in, until

TEAM = "team"
QUOTA = {"pods": "20"}
LIMITS: tuple[Object, ...] = ({"type": "Container", "max": {"memory": "2Gi"}},)
DEFAULTS = TenantDefaults(quota=QUOTA, limits=LIMITS)
OURS = {"ResourceQuota/sympozium-defaults", "LimitRange/sympozium-defaults"}


@asynccontextmanager
async def with_defaults(
    cluster: Cluster, settings: Settings, defaults: TenantDefaults = DEFAULTS
) -> AsyncIterator[Kube]:
    async with controller(cluster, replace(settings, tenants=defaults)):
        yield cluster.kube


async def until_ours(kube: Kube, wanted: set[str]) -> None:
    async def is_so() -> bool:
        kinds = ("ResourceQuota/", "LimitRange/")
        return {one for one in await ours_in(kube, TEAM) if one.startswith(kinds)} == wanted

    await until(is_so)


async def until_served(kube: Kube) -> None:
    """Return when the controller has seen the namespace and done everything in it."""
    await kube.create(AGENTS, agent(TEAM))
    run = named(AGENT_RUNS, "r", {"agentRef": "helper", "task": "t"})
    await kube.create(AGENT_RUNS, run)

    async def has_job() -> bool:
        return "Job/r" in await ours_in(kube, TEAM)

    await until(has_job)


def named(resource: Resource, name: str, spec: Object) -> Object:
    metadata = {"name": name, "namespace": TEAM}
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**head, "metadata": metadata, "spec": spec}


async def test_a_tenant_without_any_gets_the_operators_and_loses_them_with_the_label(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await create_namespace(cluster.kube, TEAM, **{TENANT_LABEL: "true"})
    async with with_defaults(cluster, settings) as kube:
        await until_ours(kube, OURS)
        quota = await kube.get(RESOURCE_QUOTAS, TEAM, "sympozium-defaults")
        limits = await kube.get(LIMIT_RANGES, TEAM, "sympozium-defaults")
        assert quota["spec"]["hard"] == QUOTA
        assert limits["spec"]["limits"][0]["max"] == {"memory": "2Gi"}
        await label(kube, TEAM, None)
        await until_ours(kube, set())


async def test_what_a_tenant_has_of_its_own_is_left_alone(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await create_namespace(cluster.kube, TEAM, **{TENANT_LABEL: "true"})
    own = named(RESOURCE_QUOTAS, "own", {"hard": {"pods": "5"}})
    await cluster.kube.create(RESOURCE_QUOTAS, own)
    async with with_defaults(cluster, settings) as kube:
        await until_ours(kube, {"LimitRange/sympozium-defaults"})
        assert (await kube.get(RESOURCE_QUOTAS, TEAM, "own"))["spec"]["hard"] == {"pods": "5"}


async def test_defaults_that_an_operator_takes_back_go(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await create_namespace(cluster.kube, TEAM, **{TENANT_LABEL: "true"})
    async with with_defaults(cluster, settings) as kube:
        await until_ours(kube, OURS)
    async with with_defaults(cluster, settings, TenantDefaults()) as kube:
        await until_ours(kube, set())


async def test_where_no_operator_asks_for_it_nothing_is_limited(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await create_namespace(cluster.kube, TEAM, **{TENANT_LABEL: "true"})
    async with with_defaults(cluster, settings, TenantDefaults()) as kube:
        await until_served(kube)
        await until_ours(kube, set())


def test_the_defaults_are_read_from_the_environment() -> None:
    environ = {
        "SYMPOZIUM_NATS_URL": "nats://bus:4222",
        "SYMPOZIUM_TENANT_QUOTA": '{"pods": "20"}',
        "SYMPOZIUM_TENANT_LIMITS": '[{"type": "Container", "max": {"memory": "2Gi"}}]',
    }
    assert read_settings(environ).tenants == DEFAULTS
