"""The Deployment and ReplicaSet controllers on a real API server, and through kubectl."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Object
from sympozium.kube.client import Kube
from tests.embedded.controllers.cluster import (
    NAMESPACE,
    Controllers,
    deployment,
    has_condition,
    make_ready,
    pod_template,
    pods,
    some_pods,
    until,
)


def images(some: list[Object]) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in some)


def template(image: str) -> Object:
    return {"spec": {"template": pod_template(image)}}


async def status(kube: Kube, name: str = "it") -> Object:
    found: Object = (await kube.get(DEPLOYMENTS, NAMESPACE, name)).get("status") or {}
    return found


async def kubectl(controllers: Controllers, *arguments: str) -> str:
    """Run kubectl and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("kubectl")),
        *("--kubeconfig", str(controllers.served.kubeconfig)),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_a_deployment_has_its_pods_through_a_replica_set(kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it", replicas=2))
    some = await some_pods(kube, 2)
    (owned,) = (await kube.list(REPLICA_SETS, NAMESPACE)).items
    digest = owned["metadata"]["labels"]["pod-template-hash"]
    assert all(pod["metadata"]["labels"]["pod-template-hash"] == digest for pod in some)
    await make_ready(kube, *some)
    there = await has_condition(kube, DEPLOYMENTS, "it", "Available")
    reached = await until(lambda: status(kube), lambda seen: seen.get("availableReplicas") == 2)
    assert reached["updatedReplicas"] == 2
    assert there["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"


async def test_a_pod_that_is_gone_is_replaced(kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it"))
    (first,) = await some_pods(kube, 1)
    await kube.delete(PODS, NAMESPACE, first["metadata"]["name"], grace_s=0)

    async def another() -> Any:
        return [pod for pod in await pods(kube) if pod["metadata"]["uid"] != uid]

    uid = first["metadata"]["uid"]
    await until(another)


async def test_a_rolling_update_starts_the_new_pod_before_the_old_one_goes(kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it"))
    await make_ready(kube, *await some_pods(kube, 1))
    await has_condition(kube, DEPLOYMENTS, "it", "Available")
    await kube.patch(DEPLOYMENTS, NAMESPACE, "it", template("sympozium/agent"))
    both = await some_pods(kube, 2)
    assert images(both) == ["sympozium/agent", "sympozium/machine"]
    await make_ready(kube, both[1] if "agent" in images([both[1]])[0] else both[0])
    (left,) = await some_pods(kube, 1)
    assert images([left]) == ["sympozium/agent"]


async def test_recreate_ends_the_old_pod_before_the_new_one_starts(kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it", strategy={"type": "Recreate"}))
    await make_ready(kube, *await some_pods(kube, 1))
    await has_condition(kube, DEPLOYMENTS, "it", "Available")
    seen: list[list[str]] = []

    async def only_new() -> bool:
        seen.append(images(await pods(kube)))
        return seen[-1] == ["sympozium/agent"]

    await kube.patch(DEPLOYMENTS, NAMESPACE, "it", template("sympozium/agent"))
    await until(only_new)
    assert max(map(len, seen)) == 1


async def test_scaling_makes_and_removes_pods(kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it"))
    await some_pods(kube, 1)
    await kube.patch(DEPLOYMENTS, NAMESPACE, "it", {"spec": {"replicas": 3}})
    await some_pods(kube, 3)
    await kube.patch(DEPLOYMENTS, NAMESPACE, "it", {"spec": {"replicas": 0}})
    await some_pods(kube, 0)


@pytest.mark.timeout(60)
async def test_kubectl_rolls_out_and_back(controllers: Controllers, kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it", strategy={"type": "Recreate"}))
    await make_ready(kube, *await some_pods(kube, 1))
    await has_condition(kube, DEPLOYMENTS, "it", "Available")
    await kube.patch(DEPLOYMENTS, NAMESPACE, "it", template("sympozium/agent"))

    async def runs(image: str) -> list[Object]:
        return [pod for pod in await pods(kube) if images([pod]) == [image]]

    await make_ready(kube, *await until(lambda: runs("sympozium/agent")))
    told = await kubectl(controllers, "rollout", "status", "deployment/it", "--timeout=20s")
    assert "successfully rolled out" in told
    await kubectl(controllers, "rollout", "undo", "deployment/it")
    await make_ready(kube, *await until(lambda: runs("sympozium/machine")))
    told = await kubectl(controllers, "rollout", "status", "deployment/it", "--timeout=20s")
    assert "successfully rolled out" in told
    there = await kube.get(DEPLOYMENTS, NAMESPACE, "it")
    assert there["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


async def test_kubectl_restarts_and_scales(controllers: Controllers, kube: Kube) -> None:
    await kube.create(DEPLOYMENTS, deployment("it", strategy={"type": "Recreate"}))
    (first,) = await some_pods(kube, 1)
    await kubectl(controllers, "rollout", "restart", "deployment/it")

    async def another() -> Any:
        return [pod for pod in await pods(kube) if pod["metadata"]["uid"] != uid]

    uid = first["metadata"]["uid"]
    await until(another)
    await kubectl(controllers, "scale", "deployment/it", "--replicas=2")
    await some_pods(kube, 2)
