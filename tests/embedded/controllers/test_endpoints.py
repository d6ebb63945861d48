"""Services and the addresses of the pods behind them."""

from typing import Any

from sympozium.contract.resources import ENDPOINTS, PODS, SERVICES, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from tests.embedded.controllers.cluster import NAMESPACE, pod_template, until

READY = {"type": "Ready", "status": "True"}


def service(selector: Object) -> Object:
    ports = [{"name": "https", "port": 443, "targetPort": "web"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "hook", "namespace": NAMESPACE},
        "spec": {"selector": selector, "ports": ports},
    }


async def addresses(kube: Kube) -> list[tuple[str, int]] | None:
    try:
        found = await kube.get(ENDPOINTS, NAMESPACE, "hook")
    except NotFoundError:
        return None
    return [
        (one["addresses"][0]["ip"], one["ports"][0]["port"]) for one in found.get("subsets") or ()
    ]


async def pod(kube: Kube, name: str, address: str, **status: Any) -> Object:
    """Create a pod and report its status, as the kubelet does."""
    template = pod_template()
    template["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": 8443}]
    metadata = {**template["metadata"], "name": name, "namespace": NAMESPACE}
    made = await kube.create(
        PODS, {"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}
    )
    given = {"phase": "Running", "podIP": address, "conditions": [READY], **status}
    return await kube.replace(PODS, {**made, "status": given}, subresource="status")


async def test_a_service_leads_to_the_pods_that_are_ready_and_to_no_others(kube: Kube) -> None:
    await kube.create(SERVICES, service({"app": "it"}))
    await pod(kube, "a", "127.9.0.1")
    await pod(kube, "b", "127.9.0.2", conditions=[])
    await until(lambda: addresses(kube), lambda found: found == [("127.9.0.1", 8443)])
    await kube.delete(PODS, NAMESPACE, "a", grace_s=0)
    await until(lambda: addresses(kube), lambda found: found == [])


async def test_the_endpoints_go_with_their_service(kube: Kube) -> None:
    await kube.create(SERVICES, service({"app": "it"}))
    await until(lambda: addresses(kube), lambda found: found == [])
    await kube.delete(SERVICES, NAMESPACE, "hook")
    await until(lambda: addresses(kube), lambda found: found is None)
