"""Why there will be no run: decided before it is created, or said by the API server."""

from sympozium.contract.errors import PermanentError
from sympozium.contract.reasons import Reason
from sympozium.kube.refusals import read_refusal


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
    """Return what it means for a person that the API server refuses an AgentRun."""
    text = str(error)
    refusal = read_refusal(text)
    return RefusedError(text, refusal.reason, rule=refusal.rule)
