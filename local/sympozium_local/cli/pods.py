"""Finding the pod behind a Service or a Channel."""

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import PODS, SERVICES, Object
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.forwarding import PodPort
from sympozium_local.cli.paths import path_of


def pods_with(cluster: Cluster, namespace: str, labels: Object) -> list[Object]:
    """Return the pods of a namespace (empty: of all) that bear *labels*."""
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    items: list[Object] = cluster.get(path_of(PODS, namespace), labelSelector=selector)["items"]
    return items


def is_ready(pod: Object) -> bool:
    """Return whether a pod says that it is ready, and is not being deleted."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def ready_pod(cluster: Cluster, namespace: str, labels: Object, what: str) -> Object:
    """Return a ready pod that bears *labels*.

    Raises:
        TransientError: None is ready; the text names *what*.
    """
    pods = pods_with(cluster, namespace, labels)
    ready = [pod for pod in pods if is_ready(pod)]
    if not ready:
        there = "it has no pod" if not pods else "none of its pods is ready"
        raise TransientError(
            f"cannot reach {what} in namespace {namespace!r}: {there}; see `sympozium status`"
        )
    return min(ready, key=lambda pod: str(pod["metadata"]["name"]))


def port_behind(cluster: Cluster, namespace: str, service: str, number: int) -> PodPort:
    """Return where port *number* of a Service leads: a port of one of its ready pods.

    Raises:
        NotFoundError: There is no such Service.
        TransientError: None of its pods is ready.
    """
    spec = cluster.get(path_of(SERVICES, namespace, service))["spec"]
    pod = ready_pod(cluster, namespace, spec.get("selector") or {}, f"Service {service!r}")
    target = next(
        (one.get("targetPort", number) for one in spec.get("ports") or () if one["port"] == number),
        number,
    )
    port = target if isinstance(target, int) else _named_port(pod, str(target))
    return PodPort(namespace, pod["metadata"]["name"], port)


def _named_port(pod: Object, name: str) -> int:
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
    for container in containers:
        for port in container.get("ports") or ():
            if port.get("name") == name:
                return int(port["containerPort"])
    raise NotFoundError(
        f"cannot find port {name!r} of pod {pod['metadata']['name']!r}: no container names it"
    )
