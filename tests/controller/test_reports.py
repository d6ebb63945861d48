"""What Events say of pods that are not made and of pods that do not begin."""

from datetime import timedelta

import pytest

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import EVENTS
from sympozium_controller.runs.decide import QuotaUsedUp
from sympozium_controller.runs.endings import Silence
from sympozium_controller.runs.reports import AccountMissing, why_no_pod, why_not_begun
from sympozium_controller.runs.trouble import START_GRACE, Trouble
from tests.controller.cluster import NAMESPACE, Cluster
from tests.controller.worlds import START, a_pod

NO_ACCOUNT = (
    'Error creating: pods "web-abc-" is forbidden: error looking up service account '
    'default/sympozium-run: serviceaccount "sympozium-run" not found'
)
USED_UP = (
    'Error creating: pods "web-abc-x" is forbidden: exceeded quota: small, '
    "requested: pods=1, used: pods=4, limited: pods=4"
)
TOO_MUCH = (
    'Error creating: pods "web-abc-x" is forbidden: maximum memory usage per Container is 1Gi, '
    "but limit is 2Gi"
)
NO_VOLUME = 'MountVolume.SetUp failed for volume "api-token" : configmap "ca" not found'
NO_NETWORK = "Failed to create pod sandbox: rpc error: plugin type=policy failed (add): no answer"


async def tell(cluster: Cluster, uid: str, reason: str, text: str, kind: str = "Pod") -> None:
    """Write an event as the Job controller and the kubelet of 1.36 do."""
    await cluster.kube.create(
        EVENTS,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "web-abc.", "namespace": NAMESPACE},
            "involvedObject": {"kind": kind, "uid": uid, "namespace": NAMESPACE},
            "reason": reason,
            "message": text,
            "type": "Warning",
        },
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NO_ACCOUNT, AccountMissing),
        (USED_UP, QuotaUsedUp),
        ("Error creating: Timeout: request did not complete", Silence),
    ],
)
async def test_why_a_job_has_no_pod(cluster: Cluster, text: str, said: type) -> None:
    assert await why_no_pod(cluster.kube, NAMESPACE, "job-uid") is Silence.NOTHING
    await tell(cluster, "another-uid", "FailedCreate", TOO_MUCH, "Job")
    await tell(cluster, "job-uid", "FailedCreate", text, "Job")
    assert isinstance(await why_no_pod(cluster.kube, NAMESPACE, "job-uid"), said)


async def test_what_a_limit_range_says_of_a_pod(cluster: Cluster) -> None:
    await tell(cluster, "job-uid", "FailedCreate", TOO_MUCH, "Job")
    said = await why_no_pod(cluster.kube, NAMESPACE, "job-uid")
    assert isinstance(said, Trouble)
    assert (said.reason, said.message) == (Reason.DENIED_BY_POLICY, TOO_MUCH)


@pytest.mark.parametrize(
    ("event", "text", "reason"),
    [
        ("FailedMount", NO_VOLUME, Reason.CONFIGURATION),
        ("FailedCreatePodSandBox", NO_NETWORK, Reason.NOT_STARTED),
    ],
)
async def test_why_a_pod_does_not_begin(
    cluster: Cluster, event: str, text: str, reason: Reason
) -> None:
    pod = a_pod(uid="pod-uid", scheduled=START + timedelta(seconds=3))
    await tell(cluster, "pod-uid", "Scheduled", "Successfully assigned default/web-abc-1")
    assert await why_not_begun(cluster.kube, NAMESPACE, pod) is Silence.NOTHING
    await tell(cluster, "pod-uid", event, text)
    said = await why_not_begun(cluster.kube, NAMESPACE, pod)
    assert isinstance(said, Trouble)
    assert (said.reason, said.since) == (reason, START + timedelta(seconds=3) + START_GRACE)
    assert text in said.message
