"""What our programs may do at the API server: little everywhere, the rest where the label is."""

from collections.abc import Iterator

import pytest

from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    ROLE_BINDINGS,
    SECRETS,
    Object,
)
from sympozium.kube.errors import ForbiddenError
from sympozium_controller.furniture import rights
from sympozium_router.world.cluster import Cluster as RoutersCluster
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster
from tests.controller.manifests import Right, documents, rights_of
from tests.tenants.namespaces import as_program, create_namespace

CLUSTER_WIDE: dict[str, set[Right]] = {
    "sympozium-controller": {
        ("", "namespaces", "get"),
        ("", "namespaces", "list"),
        ("", "namespaces", "watch"),
        ("authentication.k8s.io", "tokenreviews", "create"),
        ("rbac.authorization.k8s.io", "rolebindings", "create"),
        ("rbac.authorization.k8s.io", "rolebindings", "patch"),
        ("rbac.authorization.k8s.io", "clusterroles", "bind"),
    },
    "sympozium-router": {
        ("", "namespaces", "get"),
        ("", "namespaces", "list"),
        ("", "namespaces", "watch"),
    },
}

ONE_WEBHOOK = ("admissionregistration.k8s.io", "validatingwebhookconfigurations")
"""May be changed cluster-wide, since it is an object of the cluster; but by its one name."""

RULES_OF_METHODS: dict[str, set[Right]] = {
    "channel": {("sympozium.ai", "channels", "get")},
    "channel_spec": {("sympozium.ai", "channels", "get")},
    "agent": {("sympozium.ai", "agents", "get")},
    "run": {("sympozium.ai", "agentruns", "get")},
    "fresh_run": {("sympozium.ai", "agentruns", "get")},
    "run_named": {("sympozium.ai", "agentruns", "get")},
    "run_by_uid": {("sympozium.ai", "agentruns", "get"), ("sympozium.ai", "agentruns", "list")},
    "create_run": {("sympozium.ai", "agentruns", "create"), ("sympozium.ai", "agentruns", "get")},
    "cancel_run": {("sympozium.ai", "agentruns", "patch")},
    "change_task": {("sympozium.ai", "agentruns", "get"), ("sympozium.ai", "agentruns", "patch")},
    "change_channel_status": {
        ("sympozium.ai", "channels", "get"),
        ("sympozium.ai", "channels/status", "patch"),
    },
    "set_condition": {
        ("sympozium.ai", "channels", "get"),
        ("sympozium.ai", "channels/status", "patch"),
    },
    "follow": {
        ("sympozium.ai", plural, verb)
        for plural in ("agents", "channels", "agentruns")
        for verb in ("list", "watch")
    },
}
"""Every method of the router's port that asks the API server something in a tenant."""

READS_COPIES = {
    "channels",
    "known_run",
    "known_run_by_uid",
    "listen_to_runs",
    "listen_to_tenants",
    "runs",
    "tenants",
    "wait_until_synced",
}
ASKS_FOR_NAMESPACES = {"is_tenant"}


def of_programs() -> Iterator[Object]:
    """Yield what programs hold; what people may be given is in a file of its own."""
    people = {"sympozium.ai/component": "people"}.items()
    yield from (one for one in documents() if not people <= one["metadata"]["labels"].items())


def role(name: str) -> set[Right]:
    (found,) = [
        one
        for one in documents()
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == name
    ]
    return rights_of(found["rules"])


def bound_everywhere() -> set[str]:
    """Return the ClusterRoles that somebody holds in the whole cluster."""
    bindings = [one for one in documents() if one["kind"] == "ClusterRoleBinding"]
    return {one["roleRef"]["name"] for one in bindings}


def test_nothing_is_held_in_the_whole_cluster_but_what_is_on_the_list() -> None:
    assert bound_everywhere() == set(CLUSTER_WIDE)
    for name, listed in CLUSTER_WIDE.items():
        assert {right for right in role(name) if right[:2] != ONE_WEBHOOK} == listed


def test_what_is_held_of_webhooks_is_held_of_one_by_its_name() -> None:
    for one in documents():
        for rule in one.get("rules") or []:
            if ONE_WEBHOOK[1] in rule["resources"]:
                assert rule["resourceNames"] == ["sympozium-webhook"]
                assert not {"create", "delete"} & set(rule["verbs"])


def test_no_rule_has_a_wildcard() -> None:
    for one in documents():
        for rule in one.get("rules") or []:
            assert "nonResourceURLs" not in rule
            for field in ("apiGroups", "resources", "verbs"):
                assert not any("*" in value for value in rule[field]), (one["metadata"], rule)


def test_nobody_may_list_or_watch_secrets_but_one_of_the_systems_own_by_its_name() -> None:
    for one in documents():
        for rule in one.get("rules") or []:
            if "secrets" in rule["resources"] and {"list", "watch"} & set(rule["verbs"]):
                assert one["metadata"]["namespace"] == SYSTEM_NAMESPACE
                assert rule["resourceNames"] == ["sympozium-webhook"]


def test_no_program_may_change_rights_or_act_as_somebody_else() -> None:
    for one in of_programs():
        for group, resource, verb in rights_of(one.get("rules") or []):
            where = (one["metadata"]["name"], group, resource, verb)
            if resource == "secrets":
                assert verb in {"get", "list", "watch", "update"}, where
            assert verb not in {"escalate", "impersonate"}, where
            assert resource not in {"serviceaccounts/token", "pods/exec", "pods/attach"}, where
            if verb == "bind":
                assert one["metadata"]["name"] == "sympozium-controller", where


def test_secrets_of_the_system_are_written_by_name_only() -> None:
    for one in of_programs():
        for rule in one.get("rules") or []:
            if "secrets" in rule["resources"] and "update" in rule["verbs"]:
                assert one["kind"] == "Role", "in one namespace"
                assert rule["resourceNames"], "and only some of it"


def test_the_roles_that_may_be_bound_are_those_that_are_bound_in_tenants() -> None:
    (controller,) = [
        one
        for one in documents()
        if one["kind"] == "ClusterRole" and one["metadata"]["name"] == "sympozium-controller"
    ]
    (bind,) = [rule for rule in controller["rules"] if "bind" in rule["verbs"]]
    everything = {one["metadata"]["name"] for one in of_programs() if one["kind"] == "ClusterRole"}
    assert set(bind["resourceNames"]) == everything - bound_everywhere()


def test_every_object_says_that_it_is_part_of_the_system() -> None:
    for one in documents():
        labels = one["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "sympozium", one["metadata"]
        assert labels["sympozium.ai/component"], one["metadata"]


def test_each_method_of_the_routers_port_has_its_rule() -> None:
    methods = {
        name
        for name, value in vars(RoutersCluster).items()
        if callable(value) and not name.startswith("_")
    }
    assert methods == set(RULES_OF_METHODS) | READS_COPIES | ASKS_FOR_NAMESPACES
    used: set[Right] = set().union(*RULES_OF_METHODS.values())
    assert used == role("sympozium-tenant-router")


async def test_outside_of_tenants_the_programs_may_read_nothing_and_make_nothing(
    cluster: Cluster,
) -> None:
    await create_namespace(cluster.kube, "other")
    for program in ("controller", "router"):
        async with as_program(cluster, program) as kube:
            for resource in (AGENTS, AGENT_RUNS, CHANNELS, SECRETS):
                for namespace in (None, "other", "kube-system"):
                    with pytest.raises(ForbiddenError):
                        await kube.list(resource, namespace)
            with pytest.raises(ForbiddenError):
                await kube.get(SECRETS, "kube-system", "any")


async def test_the_controller_gives_rights_only_where_the_label_is(cluster: Cluster) -> None:
    await create_namespace(cluster.kube, "other")
    async with as_program(cluster, "controller") as kube:
        for binding in rights("other", SYSTEM_NAMESPACE):
            with pytest.raises(ForbiddenError, match=r"sympozium\.ai/tenant=true"):
                await kube.create(ROLE_BINDINGS, binding)
        for binding in rights(NAMESPACE, SYSTEM_NAMESPACE):
            await kube.create(ROLE_BINDINGS, binding)


async def test_the_controller_gives_its_roles_to_nobody_else(cluster: Cluster) -> None:
    first, second = rights(NAMESPACE, SYSTEM_NAMESPACE)
    async with as_program(cluster, "controller") as kube:
        swapped = {**first, "subjects": second["subjects"]}
        stranger = {**first, "subjects": [{**first["subjects"][0], "namespace": NAMESPACE}]}
        person = {**first, "subjects": [{"kind": "User", "name": "eve", "apiGroup": GROUP}]}
        renamed = {**first, "metadata": {**first["metadata"], "name": "mine"}}
        admin = {**first, "roleRef": {**first["roleRef"], "name": "cluster-admin"}}
        for binding in (swapped, stranger, person, renamed, admin):
            with pytest.raises(ForbiddenError):
                await kube.create(ROLE_BINDINGS, binding)


GROUP = ROLE_BINDINGS.group
