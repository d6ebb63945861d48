"""The bus of the chart in its pod."""

import json

import pytest

from sympozium_controller.runs.quota import quantity
from tests.kube.cluster import Clients
from tests.kube.release import BUS_SERVERS, SYSTEM_NAMESPACE, Release

SERVERS = ("-n", SYSTEM_NAMESPACE, "statefulset/sympozium-nats")


def test_the_bus_frees_memory_before_it_is_killed(release: Release, kube_clients: Clients) -> None:
    pod = kube_clients.get("-n", SYSTEM_NAMESPACE, "pod", "sympozium-nats-0")
    (server,) = pod["spec"]["containers"]
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/sympozium-nats-0:8222/proxy/varz"
    said = json.loads(kube_clients.kubectl("get", "--raw", path))
    share = said["gomemlimit"] / float(quantity(server["resources"]["limits"]["memory"]))
    assert 0.9 < share < 0.99


@pytest.mark.skipif(BUS_SERVERS > 1, reason="the bus has three servers here")
def test_another_number_of_servers_does_not_start_and_the_first_works_on(
    release: Release, kube_clients: Clients
) -> None:
    """What applies rendered manifests is not asked by the chart what is installed."""
    first = _uid(kube_clients, "sympozium-nats-0")
    routes = ",".join(f"sympozium-nats-{number}.sympozium-nats-peers:6222" for number in range(3))
    setup = {"name": "setup", "env": [{"name": "SYMPOZIUM_NATS_ROUTES", "value": routes}]}
    grown = {"replicas": 3, "template": {"spec": {"initContainers": [setup]}}}
    kube_clients.kubectl("patch", *SERVERS, "--patch", json.dumps({"spec": grown}))
    try:
        last = ["-n", SYSTEM_NAMESPACE, "pod/sympozium-nats-2"]
        failed = "jsonpath={.status.initContainerStatuses[0].restartCount}=1"
        for condition in ("create", failed):
            kube_clients.kubectl("wait", *last, f"--for={condition}", "--timeout=120s")
        said = kube_clients.kubectl("logs", *last, "-c", "setup", "--previous")
        assert "set nats.replicas=1" in said
        assert _uid(kube_clients, "sympozium-nats-0") == first
    finally:
        kube_clients.kubectl("rollout", "undo", *SERVERS)
        kube_clients.kubectl("scale", *SERVERS, "--replicas=1")
        volumes = [f"pvc/data-sympozium-nats-{number}" for number in (1, 2)]
        kube_clients.kubectl("delete", "-n", SYSTEM_NAMESPACE, *volumes)
    assert _uid(kube_clients, "sympozium-nats-0") == first


def _uid(clients: Clients, pod: str) -> str:
    found: str = clients.get("-n", SYSTEM_NAMESPACE, "pod", pod)["metadata"]["uid"]
    return found
