"""Tenants on a real API server: rights, what comes with the label, and what goes with it."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from sympozium.contract.resources import Object
from tests.kube.cluster import Clients
from tests.kube.release import SYSTEM_NAMESPACE, Release, make_tenant, secret

TEAM = "brief"
OURS = ("-l", "app.kubernetes.io/part-of=sympozium")
KINDS = "deployments,jobs,pods,services,serviceaccounts,roles,rolebindings,networkpolicies"
TOKEN = "the-token-of-the-brief-team"
_PROGRAM = f"system:serviceaccount:{SYSTEM_NAMESPACE}:sympozium-"
CONTROLLER, ROUTER = _PROGRAM + "controller", _PROGRAM + "router"
WAIT_S = 120.0

pytestmark = pytest.mark.timeout(400)


def channel(**more: object) -> str:
    """Describe a web chat of the team, whose Agent needs not be there."""
    spec = {
        "type": "web",
        "agentRef": "helper",
        "access": {"users": ["*"]},
        "web": {"port": 8400, "tokenSecretRef": "web-token"},
        **more,
    }
    metadata = {"name": "web", "namespace": TEAM}
    head = {"apiVersion": "sympozium.ai/v1alpha1", "kind": "Channel", "metadata": metadata}
    return json.dumps({**head, "spec": spec})


def until(is_so: Callable[[], bool]) -> None:
    """Return when *is_so*; nobody tells us of it."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.3)


def ours(clients: Clients, namespace: str = TEAM) -> set[str]:
    """Return the names of everything of ours in a namespace."""
    return set(clients.kubectl("-n", namespace, "get", KINDS, *OURS, "-o", "name").split())


def pods(clients: Clients) -> list[Object]:
    found: list[Object] = clients.get("-n", TEAM, "pods", *OURS)["items"]
    return found


def may(clients: Clients, who: str, *what: str) -> bool:
    """Return whether somebody has a right."""
    answer = clients.run_kubectl("auth", "can-i", *what, f"--as={who}").stdout
    assert answer.strip() in {"yes", "no"}, answer
    return answer.strip() == "yes"


@pytest.fixture
def team(release: Release) -> Iterator[Clients]:
    """A tenant with a web chat that is up; its namespace goes at the end."""
    clients = release.clients
    make_tenant(clients, TEAM)
    try:
        clients.apply(secret("web-token", TEAM, {"token": TOKEN}))
        clients.apply(channel())
        deployment = ("-n", TEAM, "deployment/channel-web")
        clients.kubectl("wait", "--for=create", *deployment, "--timeout=60s")
        clients.kubectl("rollout", "status", *deployment, "--timeout=120s")
        yield clients
    finally:
        clients.kubectl("delete", "namespace", TEAM, "--timeout=120s", timeout_s=150)


def test_the_programs_hold_rights_in_tenants_and_nowhere_else(team: Clients) -> None:
    for who in (CONTROLLER, ROUTER):
        assert may(team, who, "list", "agentruns", "-n", TEAM)
        for namespace in ("kube-system", SYSTEM_NAMESPACE):
            assert not may(team, who, "list", "agentruns", "-n", namespace)
            assert not may(team, who, "get", "secrets/any", "-n", namespace)
            assert not may(team, who, "create", "pods", "-n", namespace)
        for resource in ("secrets", "agents", "pods", "jobs", "roles"):
            assert not may(team, who, "list", resource, "--all-namespaces")
        for right in (("list", "secrets"), ("watch", "secrets"), ("create", "clusterroles")):
            assert not may(team, who, *right, "-n", TEAM)
    assert may(team, CONTROLLER, "get", "secrets/any", "-n", TEAM)
    assert not may(team, ROUTER, "get", "secrets/any", "-n", TEAM)
    assert not may(team, ROUTER, "delete", "agentruns", "-n", TEAM)


def test_the_controller_cannot_give_itself_rights_outside_of_tenants(team: Clients) -> None:
    def binding(namespace: str, role: str) -> str:
        return json.dumps(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": role, "namespace": namespace},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": role,
                },
                "subjects": [
                    {
                        "kind": "ServiceAccount",
                        "name": "sympozium-controller",
                        "namespace": SYSTEM_NAMESPACE,
                    }
                ],
            }
        )

    def creating(namespace: str, role: str) -> tuple[int, str]:
        asked = ("create", "--dry-run=server", f"--as={CONTROLLER}", "-f", "-")
        done = team.run_kubectl(*asked, text=binding(namespace, role))
        return done.returncode, done.stderr

    failed, why = creating("kube-system", "sympozium-tenant-controller")
    assert failed
    assert "sympozium.ai/tenant=true" in why
    failed, why = creating(TEAM, "cluster-admin")
    assert failed
    assert "forbidden" in why.lower()


def test_a_channels_token_is_given_to_its_pod_and_to_no_other(team: Clients) -> None:
    (pod,) = pods(team)
    assert "web-token" in json.dumps(pod["spec"])
    for other in team.get("pods", "--all-namespaces")["items"]:
        if other["metadata"]["uid"] != pod["metadata"]["uid"]:
            assert not (
                other["metadata"]["namespace"] == TEAM and "web-token" in json.dumps(other["spec"])
            )
    (container,) = pod["spec"]["containers"]
    assert TOKEN not in json.dumps(container), "by reference, not by value"
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_a_changed_channel_rolls_and_a_deleted_one_goes(team: Clients) -> None:
    (before,) = pods(team)
    changed = channel(web={"port": 8500, "tokenSecretRef": "web-token"})
    team.apply(changed)

    def is_rolled() -> bool:
        uids = {pod["metadata"]["uid"] for pod in pods(team)}
        return len(uids) == 1 and before["metadata"]["uid"] not in uids

    until(is_rolled)
    service = team.get("-n", TEAM, "service", "sympozium-channel-web")
    assert [port["port"] for port in service["spec"]["ports"]] == [8500]
    team.kubectl("-n", TEAM, "delete", "channel", "web")
    until(lambda: not any("channel" in name for name in ours(team)))


def test_everything_goes_with_the_label_and_the_namespace_is_free(team: Clients) -> None:
    assert "rolebinding.rbac.authorization.k8s.io/sympozium-tenant-router" in ours(team)
    team.kubectl("label", "namespace", TEAM, "sympozium.ai/tenant-")
    until(lambda: not ours(team))
    assert team.get("-n", TEAM, "channels")["items"], "what people made stays"
    assert not may(team, CONTROLLER, "get", "secrets/any", "-n", TEAM)
    make_tenant(team, TEAM)
    until(lambda: any(name.startswith("service/") for name in ours(team)))
