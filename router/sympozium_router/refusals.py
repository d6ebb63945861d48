"""Why there will be no run: decided before it is created, or said by the API server."""

import re

from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason

_QUOTA = re.compile(r"exceeded quota: ([a-z0-9.-]+)")
_DENIED = re.compile(r"denied(?: the)? request: (.+)", re.DOTALL)


class RefusedError(PermanentError):
    """A message gets no run, and its sender is told why.

    Attributes:
        reason: What the sender is told.
        rule: What the rule that refuses says for itself; empty where that is not for people.
    """

    def __init__(self, text: str, reason: Reason, *, rule: str = "") -> None:
        super().__init__(text)
        self.reason = reason
        self.rule = rule


def refusal_of(error: PermanentError) -> RefusedError:
    """Return what it means for a person that the API server refuses an AgentRun.

    Only two kinds of text are passed on, because their author wrote them for
    people: the name of a quota, and the message of an admission policy.
    """
    text = str(error)
    if quota := _QUOTA.search(text):
        return RefusedError(text, Reason.QUOTA, rule=f"quota {quota[1]}")
    if denied := _DENIED.search(text):
        return RefusedError(text, Reason.DENIED_BY_POLICY, rule=denied[1])
    return RefusedError(text, Reason.CONFIGURATION)
