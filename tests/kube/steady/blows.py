"""What is done to a running installation: each of its parts, and each of the cluster's."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.kube.cluster import Clients, KubeCluster
from tests.kube.release import CHART, SYSTEM_NAMESPACE, TENANT, Release, values

LEASE = "sympozium-controller"


@dataclass(frozen=True)
class Place:
    """Where blows fall.

    Attributes:
        next_images: Values by which the chart runs another revision of its programs.
    """

    cluster: KubeCluster
    clients: Clients
    release: Release
    model_port: int
    next_images: dict[str, object]
    api_down_s: float


@dataclass(frozen=True)
class Blow:
    """One thing that goes wrong, by its name for the table."""

    name: str
    strike: Callable[[Place], None]


def blows() -> list[Blow]:
    """Return all blows, in the order in which they fall."""
    return [
        Blow("a router's pod deleted by force", _delete_pod("router")),
        Blow("the leading controller's pod deleted by force", _delete_leader),
        Blow("the web channel's pod deleted by force", _delete_channel),
        Blow("a run's pod deleted by force", _delete_run),
        Blow("the NATS pod deleted by force", _delete_pod("nats")),
        Blow("the PostgreSQL pod deleted by force", _delete_pod("postgresql")),
        Blow("kill -9 of kube-apiserver, away for a while", _api_down),
        Blow("etcd killed and started", _restarted("etcd")),
        Blow("the kubelet killed and started", _restarted("kubelet")),
        Blow("helm upgrade with another image", _upgrade),
        Blow("helm rollback", _roll_back),
    ]


def _delete_pod(component: str) -> Callable[[Place], None]:
    def strike(place: Place) -> None:
        _delete_first(place, SYSTEM_NAMESPACE, f"sympozium.ai/component={component}")

    return strike


def _delete_leader(place: Place) -> None:
    lease = place.clients.get("-n", SYSTEM_NAMESPACE, "lease", LEASE)
    _delete(place, SYSTEM_NAMESPACE, lease["spec"]["holderIdentity"].rpartition("_")[0])


def _delete_channel(place: Place) -> None:
    deployment = place.clients.get("-n", TENANT, "deployment", "channel-web")
    labels = deployment["spec"]["selector"]["matchLabels"]
    _delete_first(place, TENANT, ",".join(f"{key}={value}" for key, value in labels.items()))


def _delete_run(place: Place) -> None:
    """Delete a run's pod as soon as one is running."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = place.clients.get(
            *("-n", TENANT, "pods", "-l", "sympozium.ai/component=run"),
            *("--field-selector", "status.phase=Running"),
        )["items"]
        if found:
            _delete(place, TENANT, found[0]["metadata"]["name"])
            return
        time.sleep(0.2)
    raise AssertionError("no run was at work for half a minute")


def _delete_first(place: Place, namespace: str, selector: str) -> None:
    found = place.clients.get("-n", namespace, "pods", "-l", selector)["items"]
    living = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
    assert living, f"there is no pod {selector} in {namespace}"
    _delete(place, namespace, living[0]["metadata"]["name"])


def _delete(place: Place, namespace: str, pod: str) -> None:
    place.clients.kubectl(
        *("-n", namespace, "delete", "pod", pod, "--force", "--grace-period=0", "--wait=false")
    )


def _api_down(place: Place) -> None:
    place.cluster.kill("apiserver")
    time.sleep(place.api_down_s)
    place.cluster.start("apiserver")


def _restarted(component: str) -> Callable[[Place], None]:
    def strike(place: Place) -> None:
        place.cluster.kill(component)
        place.cluster.start(component)

    return strike


def _upgrade(place: Place) -> None:
    """Upgrade to another image of each program, and return without waiting for them to be ready."""
    wanted = values(place.model_port)
    images = {**_dict(wanted["images"]), **place.next_images}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.json"
        file.write_text(json.dumps({**wanted, "images": images}))
        place.clients.helm(
            *("upgrade", place.release.name, str(CHART)),
            *("-n", SYSTEM_NAMESPACE, "-f", str(file)),
        )


def _roll_back(place: Place) -> None:
    place.clients.helm("rollback", place.release.name, "-n", SYSTEM_NAMESPACE)


def _dict(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
