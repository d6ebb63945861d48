"""A quota that is used up makes runs wait; one that can never be met ends them."""

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import AGENT_RUNS, EVENTS, JOBS, Object
from sympozium.contract.run_events import Result, Started
from sympozium_controller.runs.quota import is_used_up
from tests.controller.cluster import NAMESPACE, Cluster, say

USED_UP = (
    'Error creating: pods "r1-x" is forbidden: exceeded quota: small, '
    "requested: pods=1, used: pods=2, limited: pods=2"
)


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        (USED_UP, True),
        (USED_UP.replace("limited: pods=2", "limited: pods=0"), False),
        (
            "exceeded quota: q, requested: limits.memory=1Gi, used: limits.memory=3Gi, "
            "limited: limits.memory=4Gi",
            True,
        ),
        (
            "exceeded quota: q, requested: limits.memory=8Gi,pods=1, "
            "used: limits.memory=0,pods=0, limited: limits.memory=4096Mi,pods=5",
            False,
        ),
        (
            "exceeded quota: q, requested: requests.cpu=60m, used: requests.cpu=1, "
            "limited: requests.cpu=1050m",
            True,
        ),
        (
            "exceeded quota: a, requested: pods=1, used: pods=9, limited: pods=9, "
            "exceeded quota: b, requested: pods=1, used: pods=0, limited: pods=0",
            False,
        ),
        ("exceeded quota: q, requested: pods=??, used: pods=0, limited: pods=1", False),
        ("failed quota: q: must specify limits.cpu for: agent", False),
        ("exceeded quota: small", False),
        ('admission webhook "x" denied the request', False),
    ],
)
def test_waiting_helps_only_against_a_quota_that_others_use(text: str, waits: bool) -> None:
    assert is_used_up(text) is waits


async def refuse_pod(cluster: Cluster, job: Object, text: str) -> None:
    """Say as the Job controller does that a Job can have no pod."""
    metadata = job["metadata"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{metadata['uid']}", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Job", "name": metadata["name"], "uid": metadata["uid"]},
        "reason": "FailedCreate",
        "message": text,
        "type": "Warning",
    }
    await cluster.kube.create(EVENTS, event)


async def test_a_run_whose_pod_finds_the_quota_used_up_waits_and_starts_when_another_ends(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    first = await controlled.create_run("first")
    await controlled.create_pod(await controlled.job("first"))
    await say(bus, first, Started())
    second = await controlled.create_run("second")
    refused = await controlled.job("second")
    await refuse_pod(controlled, refused, USED_UP)
    await controlled.until_gone(JOBS, "second")
    run = await controlled.until(
        AGENT_RUNS, "second", lambda run: run["status"]["phase"] == "Queued"
    )
    assert run["status"]["conditions"][0]["reason"] == "Quota"
    await say(bus, first, Result(text="done"), number=2)
    job = await controlled.job("second")
    assert job["metadata"]["uid"] != refused["metadata"]["uid"]
    await say(bus, second, Result(text="hi"))
    assert (await controlled.ended("second"))["result"] == "hi"


async def test_a_run_whose_pod_no_quota_will_ever_admit_ends_and_names_the_rule(
    controlled: Cluster,
) -> None:
    await controlled.create_agent()
    await controlled.create_run("r1")
    text = USED_UP.replace("limited: pods=2", "limited: pods=0")
    await refuse_pod(controlled, await controlled.job("r1"), text)
    status = await controlled.ended("r1")
    assert status["error"]["reason"] == "Quota"
    assert "exceeded quota: small" in status["error"]["message"]
