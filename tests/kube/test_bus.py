"""The bus of the chart in its pod."""

import json

from sympozium_controller.runs.quota import quantity
from tests.kube.cluster import Clients
from tests.kube.release import SYSTEM_NAMESPACE, Release


def test_the_bus_frees_memory_before_it_is_killed(release: Release, kube_clients: Clients) -> None:
    pod = kube_clients.get("-n", SYSTEM_NAMESPACE, "pod", "sympozium-nats-0")
    (server,) = pod["spec"]["containers"]
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/sympozium-nats-0:8222/proxy/varz"
    said = json.loads(kube_clients.kubectl("get", "--raw", path))
    share = said["gomemlimit"] / float(quantity(server["resources"]["limits"]["memory"]))
    assert 0.9 < share < 0.99
