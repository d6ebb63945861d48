"""What a pod gets from the server: a node, an identity, grace, its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

PODS = "/api/v1/namespaces/default/pods"
MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@pytest.fixture
def pod() -> dict[str, Any]:
    spec = {"containers": [{"name": "c", "image": "i"}], "terminationGracePeriodSeconds": 20}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


async def test_a_new_pod_is_pending_on_the_only_node(api: Any, pod: Any) -> None:
    made = await api.create(PODS, pod)
    assert made["spec"]["nodeName"] == "local"
    assert made["status"]["phase"] == "Pending"
    assert made["status"]["qosClass"] == "BestEffort"
    assert made["metadata"]["generation"] == 1
    listed = await api.get("/api/v1/pods?fieldSelector=spec.nodeName=local,status.phase=Pending")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["p"]


async def test_a_pod_gets_the_default_identity_and_its_token(api: Any, pod: Any) -> None:
    spec = (await api.create(PODS, pod))["spec"]
    assert spec["serviceAccountName"] == "default"
    (volume,) = spec["volumes"]
    (mount,) = spec["containers"][0]["volumeMounts"]
    assert volume["name"].startswith("kube-api-access-")
    assert mount == {"name": volume["name"], "readOnly": True, "mountPath": MOUNT}
    kinds = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert kinds == ["serviceAccountToken", "configMap", "downwardAPI"]


async def test_a_pod_that_wants_no_token_gets_none(api: Any, pod: Any) -> None:
    pod["spec"]["automountServiceAccountToken"] = False
    spec = (await api.create(PODS, pod))["spec"]
    assert not spec.get("volumes")
    assert not spec["containers"][0].get("volumeMounts")


@pytest.mark.parametrize("name", ["livenessProbe", "readinessProbe", "startupProbe"])
async def test_a_probe_that_no_node_here_can_make_is_refused(api: Any, pod: Any, name: str) -> None:
    pod["spec"]["containers"][0][name] = {"grpc": {"port": 8080}}
    code, status = await api.call("POST", PODS, pod)
    assert code == 422
    assert status["message"] == (
        f'Pod "p" is invalid: spec.containers[0].{name}.grpc: Forbidden: this cluster does not '
        "support it yet; use exec, httpGet or tcpSocket"
    )
    pod["spec"]["containers"][0][name] = {"tcpSocket": {"port": 8080}}
    await api.create(PODS, pod)


async def test_a_pod_of_a_missing_identity_is_refused(api: Any, pod: Any) -> None:
    pod["spec"]["serviceAccountName"] = "nobody"
    code, status = await api.call("POST", PODS, pod)
    assert code == 403
    assert status["message"] == (
        'pods "p" is forbidden: error looking up service account default/nobody: '
        'serviceaccount "nobody" not found'
    )


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"memory": "1Gi"}}, "Burstable"),
        ({}, "BestEffort"),
    ],
)
async def test_the_quality_of_service_follows_from_the_resources(
    api: Any, pod: Any, resources: dict[str, Any], expected: str
) -> None:
    pod["spec"]["containers"][0]["resources"] = resources
    assert (await api.create(PODS, pod))["status"]["qosClass"] == expected


async def test_a_living_pod_is_marked_and_only_the_kubelet_ends_it(api: Any, pod: Any) -> None:
    await api.create(PODS, pod)
    marked = await api.delete(f"{PODS}/p")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 20
    first = marked["metadata"]["deletionTimestamp"]
    assert first > marked["metadata"]["creationTimestamp"]
    longer = await api.delete(f"{PODS}/p?gracePeriodSeconds=100")
    assert longer["metadata"]["deletionTimestamp"] == first
    sooner = await api.delete(f"{PODS}/p?gracePeriodSeconds=5")
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
    assert sooner["metadata"]["deletionTimestamp"] <= first
    await api.delete(f"{PODS}/p?gracePeriodSeconds=0")
    assert (await api.call("GET", f"{PODS}/p"))[0] == 404


async def test_an_ended_pod_goes_at_once(api: Any, pod: Any) -> None:
    await api.create(PODS, pod)
    await api.merge(f"{PODS}/p/status", {"status": {"phase": "Succeeded"}})
    await api.delete(f"{PODS}/p")
    assert (await api.call("GET", f"{PODS}/p"))[0] == 404


async def test_an_eviction_says_so_and_deletes_the_pod(api: Any, pod: Any) -> None:
    await api.create(PODS, pod)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    await api.create(f"{PODS}/p/eviction", body)
    evicted = await api.get(f"{PODS}/p")
    assert evicted["metadata"]["deletionTimestamp"]
    disrupted = [c for c in evicted["status"]["conditions"] if c["type"] == "DisruptionTarget"]
    assert [(c["status"], c["reason"]) for c in disrupted] == [("True", "EvictionByEvictionAPI")]


@asynccontextmanager
async def kubelet(socket: Path) -> AsyncIterator[list[str]]:
    """Answer log requests on *socket*; yield what was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path_qs)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await response.write(b"two\n")
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        yield asked
    finally:
        await runner.cleanup()


async def test_a_log_is_what_the_kubelet_says(api: Any, pod: Any, data_dir: Path) -> None:
    await api.create(PODS, pod)
    url = f"{api.endpoint.url}{PODS}/p/log?follow=true&tailLines=5&container=c"
    async with (
        kubelet(data_dir / "kubelet.sock") as asked,
        api.session.get(url, headers=api.headers(None)) as answer,
    ):
        assert await answer.text() == "one\ntwo\n"
    assert asked == ["/containerLogs/default/p/c?follow=true&tailLines=5"]


async def test_a_log_without_a_kubelet_is_unavailable(api: Any, pod: Any) -> None:
    await api.create(PODS, pod)
    code, status = await api.call("GET", f"{PODS}/p/log")
    assert (code, status["reason"]) == (503, "ServiceUnavailable")


async def test_a_log_of_an_unknown_container_is_a_bad_request(api: Any, pod: Any) -> None:
    pod["spec"]["containers"].append({"name": "d", "image": "i"})
    await api.create(PODS, pod)
    code, status = await api.call("GET", f"{PODS}/p/log?container=x")
    assert (code, status["message"]) == (400, "container x is not valid for pod p")
    code, status = await api.call("GET", f"{PODS}/p/log")
    assert "a container name must be specified for pod p, choose one of: [c d]" in status["message"]


async def test_exec_is_said_not_to_be_there(api: Any, pod: Any) -> None:
    await api.create(PODS, pod)
    code, status = await api.call("POST", f"{PODS}/p/exec?command=sh")
    assert code == 501
    assert "exec is not served" in status["message"]
