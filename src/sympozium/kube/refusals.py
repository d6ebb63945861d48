"""What the API server means when it refuses to create something.

Its texts are for operators. Only two kinds of words in them were written for people by
whoever made the rule: the name of a quota or a standard with the bounds of a namespace, and
the message of an admission policy. Everything else stays where operators look.
"""

import re
from dataclasses import dataclass

from sympozium.contract.reasons import Reason

_QUOTA = re.compile(r"exceeded quota: ([a-z0-9.-]+)")
_DENIED = re.compile(r"denied(?: the)? request(?:: (.+)| without explanation)", re.DOTALL)
_LIMIT = re.compile(
    r"(?:maximum|minimum) [a-z./-]+ usage per [A-Za-z]+ is [^,\]]+"
    r"(?:, but (?:limit|request) is [^,\]]+)?"
    r"|[a-z./-]+ max limit to request ratio per [A-Za-z]+ is [^,\]]+"
)
"""Of a LimitRange. Source: k8s.io/kubernetes/plugin/pkg/admission/limitranger/admission.go"""

_STANDARD = re.compile(r'violates PodSecurity "[^"]+"')


@dataclass(frozen=True)
class Refusal:
    """Why something may not be created.

    Attributes:
        reason: `Quota`, `DeniedByPolicy`, or `Configuration` where no rule is named.
        rule: What the rule says for itself; empty where it says nothing.
    """

    reason: Reason
    rule: str = ""


def read_refusal(text: str) -> Refusal:
    """Return what *text*, the API server's word for a refusal, says."""
    if quota := _QUOTA.search(text):
        return Refusal(Reason.QUOTA, f"quota {quota[1]}")
    if denied := _DENIED.search(text):
        return Refusal(Reason.DENIED_BY_POLICY, denied[1] or "")
    if limits := _LIMIT.findall(text):
        return Refusal(Reason.DENIED_BY_POLICY, "; ".join(dict.fromkeys(limits)))
    if standard := _STANDARD.search(text):
        return Refusal(Reason.DENIED_BY_POLICY, standard[0])
    return Refusal(Reason.CONFIGURATION)


def is_refusal(text: str) -> bool:
    """Return whether *text*, the Job controller's word for a pod it cannot create, is for good."""
    return "forbidden" in text.lower() or _DENIED.search(text) is not None


def rule_of(reason: str, text: str) -> str:
    """Return what the rule that refused a run says for itself, as the run's status quotes it.

    Empty where *reason* is not that of a rule: the rest of a status is not for people.
    """
    refusal = read_refusal(text)
    return refusal.rule if refusal.reason == reason else ""
