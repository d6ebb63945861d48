"""What Events say of a Job that has no pod, and of a pod that does not begin.

Some troubles stand in no status. They are read once when a run is late, and not watched:
a cluster makes many events for each pod, and of nearly all of them there is nothing to know.
"""

import re
from dataclasses import dataclass

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import EVENTS
from sympozium.kube.client import Kube
from sympozium.kube.refusals import is_refusal, read_refusal
from sympozium_controller.runs.decide import QuotaUsedUp
from sympozium_controller.runs.endings import Silence
from sympozium_controller.runs.quota import is_used_up
from sympozium_controller.runs.trouble import START_GRACE, Trouble
from sympozium_controller.runs.view import PodView

MAX_TEXT_CHARS = 500
"""Of an event's message: enough to name the quota or the rule."""

_NO_ACCOUNT = re.compile(r'serviceaccount "[^"]+" not found')

_NOT_BEGUN = {
    "FailedMount": Reason.CONFIGURATION,
    "FailedAttachVolume": Reason.NOT_STARTED,
    "FailedCreatePodSandBox": Reason.NOT_STARTED,
    "FailedCreatePodContainer": Reason.NOT_STARTED,
    "NetworkNotReady": Reason.NOT_STARTED,
}
"""What a kubelet says of a pod that gets no volumes or no network.

Source: k8s.io/kubernetes/pkg/kubelet/events/event.go
"""


@dataclass(frozen=True)
class AccountMissing:
    """A pod may not be made, because somebody took away the ServiceAccount of run pods."""


async def why_no_pod(
    kube: Kube, namespace: str, job_uid: str
) -> Trouble | QuotaUsedUp | AccountMissing | Silence:
    """Return why the Job controller could not create the pod of a Job, if it says so."""
    for _, text in await _said(kube, namespace, job_uid, reason="FailedCreate"):
        if is_used_up(text):
            return QuotaUsedUp()
        if _NO_ACCOUNT.search(text):
            return AccountMissing()
        if is_refusal(text):
            return Trouble(read_refusal(text).reason, text[:MAX_TEXT_CHARS], kube.now())
    return Silence.NOTHING


async def why_not_begun(kube: Kube, namespace: str, pod: PodView) -> Trouble | Silence:
    """Return what keeps *pod* from its volumes or its network, if its kubelet says so.

    It counts once the kubelet has had time enough to get over it.
    """
    since = (pod.scheduled or pod.created) + START_GRACE
    for reason, text in await _said(kube, namespace, pod.uid):
        if reason in _NOT_BEGUN:
            said = f"pod {pod.name}: {reason}: {text}"[:MAX_TEXT_CHARS]
            return Trouble(_NOT_BEGUN[reason], said, since)
    return Silence.NOTHING


async def _said(kube: Kube, namespace: str, uid: str, **fields: str) -> list[tuple[str, str]]:
    """Return reason and message of the events about an object."""
    wanted = {"involvedObject.uid": uid, **fields}
    selector = ",".join(f"{name}={value}" for name, value in wanted.items())
    events = await kube.list(EVENTS, namespace, fieldSelector=selector)
    return [(event.get("reason", ""), event.get("message", "")) for event in events.items]
