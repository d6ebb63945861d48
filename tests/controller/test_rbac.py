"""The rights in the manifest are those that the controller uses: no fewer, and no more."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from typing_extensions import override

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    EVENTS,
    JOBS,
    Object,
    Resource,
)
from sympozium.contract.run_events import Result
from sympozium.kube.client import APPLY_PATCH, Kube, WatchEvent, connect, object_path
from sympozium_controller.identity.reviews import Reviews
from sympozium_controller.program import run_controller
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster, say
from tests.controller.manifests import Right, documents, rights_of

ADMISSION = "admissionregistration.k8s.io"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class WatchedKube(Kube):
    """A client that takes note of the rights that its requests need."""

    used: set[Right]

    @override
    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        group, resource, name = parts(path)
        verb = VERBS.get(method) or ("get" if name else "list")
        self.used.add((group, resource, verb))
        if content_type == APPLY_PATCH:
            self.used.add((group, resource, "create"))
        return await super().request(
            method, path, body=body, content_type=content_type, query=query
        )

    @override
    async def watch(
        self, resource: Resource, namespace: str | None, *, since: str, **selectors: str
    ) -> AsyncIterator[WatchEvent]:
        group, plural, _ = parts(object_path(resource, namespace))
        self.used.add((group, plural, "watch"))
        async for event in super().watch(resource, namespace, since=since, **selectors):
            yield event


def parts(path: str) -> tuple[str, str, str]:
    """Return (group, resource with subresource, name) of a request's path."""
    tokens = path.strip("/").split("/")
    group, rest = ("", tokens[2:]) if tokens[0] == "api" else (tokens[1], tokens[3:])
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    resource = "/".join([rest[0], *rest[2:3]])
    return group, resource, rest[1] if len(rest) > 1 else ""


def roles(file: str) -> dict[str, list[Object]]:
    """Return the rules of every role in a manifest, by kind and name."""
    found = [one for one in documents(file) if one["kind"] in {"ClusterRole", "Role"}]
    return {f"{one['kind']}/{one['metadata']['name']}": one["rules"] for one in found}


def declared(program: str) -> set[Right]:
    """Return the rights that the manifests give a program: everywhere, and where it serves."""
    own = roles(program).values()
    in_tenants = roles("tenants")[f"ClusterRole/sympozium-tenant-{program}"]
    return set().union(*(rights_of(rules) for rules in (*own, in_tenants)))


async def live_a_full_life(cluster: Cluster, bus: NatsBus) -> None:
    """Have the controller do everything that it ever does."""
    await cluster.create_agent(
        channels=[{"type": "web"}], authRefs=[{"provider": "openai", "secret": "nowhere"}]
    )
    await cluster.until(CHANNELS, "helper-web", lambda one: "status" in one)
    await cluster.until(AGENTS, "helper", lambda one: "status" in one)
    await cluster.kube.patch(AGENTS, NAMESPACE, "helper", {"spec": {"channels": []}})
    await cluster.until_gone(CHANNELS, "helper-web")
    run = await cluster.create_run("answered")
    await cluster.job("answered")
    await say(bus, run, Result(text="hi"))
    await cluster.ended("answered")
    await cluster.create_run("refused")
    job = await cluster.job("refused")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "refused.1", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Job", "name": "refused", "uid": job["metadata"]["uid"]},
        "reason": "FailedCreate",
        "message": "forbidden: exceeded quota: small",
    }
    await cluster.kube.create(EVENTS, event)
    await cluster.ended("refused")
    await cluster.until_gone(JOBS, "refused")


async def test_the_controllers_rights_are_those_that_it_uses(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    token = await cluster.token("sympozium-controller", namespace=SYSTEM_NAMESPACE)
    stop = asyncio.Event()
    async with connect(cluster.endpoint_of(token)) as plain:
        kube = WatchedKube(plain._endpoint, plain._session)
        kube.used = set()
        async with asyncio.TaskGroup() as group:
            group.create_task(run_controller(kube, settings, stop))
            await live_a_full_life(cluster, bus)
            await Reviews(kube).bearer(await cluster.token("default", audience="nats"))
            stop.set()
    on_rare_occasions = {
        (AGENT_RUNS.group, "agentruns", "delete"),  # a finished run, by number and age
        (AGENT_RUNS.group, "agentruns", "get"),  # a status that somebody else changed
        ("", "pods", "get"),  # a bridge that is faster than our copy of its pod
        ("batch", "jobs", "get"),  # the same, and a Job of a life before
        (CHANNELS.group, "channels", "get"),  # a channel that is faster than our copy
        (AGENTS.group, "agents", "get"),  # a run applied together with its Agent
        ("", "services", "delete"),  # a channel that nobody calls any more
        ("", "namespaces", "get"),  # one that is said to be no tenant
        ("rbac.authorization.k8s.io", "clusterroles", "bind"),  # asked for by no request of its own
    }
    when_a_label_goes = {
        (AGENT_RUNS.group, "channels", "deletecollection"),
        ("batch", "jobs", "deletecollection"),
        ("apps", "deployments", "deletecollection"),
        ("", "serviceaccounts", "deletecollection"),
        ("", "services", "deletecollection"),
        ("", "resourcequotas", "deletecollection"),
        ("", "limitranges", "deletecollection"),
        ("networking.k8s.io", "networkpolicies", "deletecollection"),
        ("rbac.authorization.k8s.io", "rolebindings", "delete"),
    }
    for_its_webhook = {
        (group, resource, verb)
        for group, resource in (("", "secrets"), (ADMISSION, "validatingwebhookconfigurations"))
        for verb in ("get", "list", "watch", "update", "patch")
    }
    where_defaults_are_wanted = {
        ("", resource, verb)
        for resource in ("resourcequotas", "limitranges")
        for verb in ("create", "patch", "delete")
    }
    assert kube.used <= declared("controller")
    unused = declared("controller") - kube.used
    assert (
        unused - for_its_webhook
        <= on_rare_occasions | when_a_label_goes | where_defaults_are_wanted
    )


def test_the_router_starts_and_stops_runs_and_cannot_say_how_one_ended() -> None:
    writes = {right[1:] for right in declared("router") if right[2] not in {"get", "list", "watch"}}
    assert ("agentruns", "create") in writes
    assert {resource for resource, _ in writes} <= {"agentruns", "channels/status"}
    assert {right for right in declared("router") if right[0] != AGENT_RUNS.group} == {
        ("", "namespaces", verb) for verb in ("get", "list", "watch")
    }


def test_both_programs_have_an_account_that_is_bound_to_their_role() -> None:
    for name in ("controller", "router"):
        account, *others = documents(name)
        roles = {one["kind"]: one for one in others if one["kind"].endswith("Role")}
        bindings = [one for one in others if one["kind"].endswith("RoleBinding")]
        assert account["metadata"] == {**account["metadata"], "name": f"sympozium-{name}"}
        assert len(bindings) == len(roles)
        for binding in bindings:
            role = roles[binding["roleRef"]["kind"]]["metadata"]
            assert binding["roleRef"]["name"] == role["name"]
            assert binding["metadata"].get("namespace") == role.get("namespace")
        assert binding["subjects"][0]["name"] == account["metadata"]["name"]
        assert binding["subjects"][0]["namespace"] == account["metadata"]["namespace"]
