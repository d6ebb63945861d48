"""What a failed pod means to its Job: `spec.podFailurePolicy`, first matching rule wins."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sympozium.contract.resources import Object


class Action(StrEnum):
    """What a failed pod leads to."""

    COUNT = "Count"
    IGNORE = "Ignore"
    FAIL_JOB = "FailJob"


@dataclass(frozen=True)
class Verdict:
    """An action, and for FAIL_JOB the sentence for the Job's condition."""

    action: Action
    message: str = ""


def judge(job: Object, pod: Object) -> Verdict:
    """Return what the failure of *pod* means to *job*."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or ()
    for number, rule in enumerate(rules):
        why = _match(rule, pod)
        if why:
            metadata = pod["metadata"]
            place = f"pod {metadata['namespace']}/{metadata['name']}"
            message = f"{why.format(pod=place)} matching {rule['action']} rule at index {number}"
            return Verdict(Action(rule["action"]), message)
    return Verdict(Action.COUNT)


def _match(rule: Object, pod: Object) -> str:
    if on_exit := rule.get("onExitCodes"):
        for container, code in _exit_codes(pod):
            wanted = on_exit.get("containerName")
            if wanted and wanted != container:
                continue
            if (code in on_exit["values"]) == (on_exit["operator"] == "In"):
                return f"Container {container} for {{pod}} failed with exit code {code}"
        return ""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    has = {(entry["type"], entry.get("status")) for entry in conditions}
    for pattern in rule.get("onPodConditions") or ():
        if (pattern["type"], pattern.get("status") or "True") in has:
            return f"{{pod}} has condition {pattern['type']}"
    return ""


def _exit_codes(pod: Object) -> Iterator[tuple[str, int]]:
    status = pod.get("status") or {}
    for group in ("initContainerStatuses", "containerStatuses"):
        for entry in status.get(group) or ():
            terminated = (entry.get("state") or {}).get("terminated")
            if terminated and terminated.get("exitCode"):
                yield entry["name"], terminated["exitCode"]
