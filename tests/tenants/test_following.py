"""The copies of tenants' objects, as namespaces, labels and rights come and go."""

import asyncio

from sympozium.contract.resources import AGENTS, NAMESPACES, ROLE_BINDINGS, Object
from sympozium_controller.furniture import ROUTER_ROLE, rights
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster
from tests.fixtures.tenants import make_tenant
from tests.tenants.namespaces import (
    agent,
    as_program,
    create_namespace,
    following,
    held,
    label,
    until,
)

HERE = (NAMESPACE, "helper")
THERE = ("other", "helper")


async def test_what_is_in_no_tenant_is_not_held(cluster: Cluster) -> None:
    await create_namespace(cluster.kube, "other")
    await cluster.kube.create(AGENTS, agent("other"))
    await cluster.kube.create(AGENTS, agent(NAMESPACE))
    async with following(cluster.kube) as (tenants, agents):
        assert held(agents) == {HERE}
        assert tenants.names() == [NAMESPACE]
        assert not await tenants.is_tenant("other")
        assert not await tenants.is_tenant("nowhere")


async def test_a_namespace_that_gets_the_label_is_followed_and_one_that_loses_it_is_left(
    cluster: Cluster,
) -> None:
    told: list[tuple[str, bool]] = []
    await create_namespace(cluster.kube, "other")
    await cluster.kube.create(AGENTS, agent("other"))
    await cluster.kube.create(AGENTS, agent(NAMESPACE))
    async with following(cluster.kube) as (_, agents):
        agents.listen(lambda key, _, new: told.append((key[0], new is not None)))
        await label(cluster.kube, "other", "true")

        async def both() -> bool:
            return held(agents) == {HERE, THERE}

        await until(both)
        await label(cluster.kube, "other", "false")

        async def one() -> bool:
            return held(agents) == {HERE}

        await until(one)
    assert told == [(NAMESPACE, True), ("other", True), ("other", False)]


async def test_a_namespace_that_is_deleted_and_made_anew_is_followed_anew(
    cluster: Cluster,
) -> None:
    async with following(cluster.kube) as (_, agents):
        for name in ("first", "second"):
            await make_tenant(cluster.kube, "other")
            await cluster.kube.create(AGENTS, agent("other", name))

            async def is_held(name: str = name) -> bool:
                return held(agents) == {("other", name)}

            await until(is_held)
            await cluster.kube.delete(NAMESPACES, None, "other")

            async def is_gone() -> bool:
                return not held(agents)

            await until(is_gone)
            await until_deleted(cluster, "other")


async def until_deleted(cluster: Cluster, namespace: str) -> None:
    """Return when a namespace is there no more: what is in it goes first."""

    async def is_deleted() -> bool:
        listed = await cluster.kube.list(NAMESPACES)
        return namespace not in {one["metadata"]["name"] for one in listed.items}

    await until(is_deleted)


async def test_rights_that_come_later_than_the_label_are_waited_for(cluster: Cluster) -> None:
    await cluster.kube.create(AGENTS, agent(NAMESPACE))
    async with as_program(cluster, "router") as kube, following(kube) as (tenants, agents):
        assert held(agents) == set()  # one tenant without rights holds up nobody
        assert not tenants.is_shown(NAMESPACE)
        for binding in rights(NAMESPACE, SYSTEM_NAMESPACE):
            await cluster.kube.create(ROLE_BINDINGS, binding)

        async def is_shown() -> bool:
            return tenants.is_shown(NAMESPACE)

        await until(is_shown)
        assert held(agents) == {HERE}


async def test_rights_that_are_taken_away_for_a_while_cost_no_copy(cluster: Cluster) -> None:
    bindings = list(rights(NAMESPACE, SYSTEM_NAMESPACE))
    for binding in bindings:
        await cluster.kube.create(ROLE_BINDINGS, binding)
    await cluster.kube.create(AGENTS, agent(NAMESPACE))
    async with as_program(cluster, "router") as kube, following(kube) as (_, agents):
        gone: list[Object] = []
        agents.listen(lambda _, __, new: gone.append({}) if new is None else None)
        await cluster.kube.delete(ROLE_BINDINGS, NAMESPACE, ROUTER_ROLE)
        await asyncio.sleep(0)
        await cluster.kube.create(ROLE_BINDINGS, bindings[1])
        await cluster.kube.create(AGENTS, agent(NAMESPACE, "later"))

        async def is_seen() -> bool:
            return (NAMESPACE, "later") in held(agents)

        await until(is_seen)
    assert gone == []


async def test_what_is_remembered_of_another_namespace_is_not_held(cluster: Cluster) -> None:
    await create_namespace(cluster.kube, "other")
    stranger = await cluster.kube.create(AGENTS, agent("other"))
    ours = await cluster.kube.create(AGENTS, agent(NAMESPACE))
    async with following(cluster.kube) as (_, agents):
        agents.remember(stranger)
        agents.remember(ours)
        assert held(agents) == {HERE}
