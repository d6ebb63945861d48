"""What is written into an AgentRun's status."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from sympozium.contract.agentrun import AgentRunStatus, Phase, RunError, RunUsage
from sympozium.contract.conditions import Condition
from sympozium.contract.files import good_files
from sympozium.contract.limits import MAX_STATUS_RESULT_BYTES
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import Failure, Result, Usage
from sympozium.contract.times import kube_time
from sympozium_controller.runs.endings import Ending
from sympozium_controller.runs.view import Run

MAX_DETAIL_CHARS = 1024
"""Of what is said about a failure: enough for an operator, too little to be a payload."""

MAX_BLOCKED = 10**9
"""More connections than a run can try. What counts more is wrong, and must not break a metric."""


@dataclass(frozen=True)
class Facts:
    """What a status says beside how the run ended."""

    run: Run
    now: datetime
    started: datetime | None = None
    model: str = ""
    has_job: bool = False
    blocked: int = 0


def ended(facts: Facts, ending: Ending) -> AgentRunStatus:
    """Return the terminal status of a run that said itself how it ended."""
    event = ending.event
    facts = replace(facts, blocked=max(facts.blocked, event.blocked_connections))
    if isinstance(event, Result):
        return _succeeded(facts, event, ending.sequence)
    return _failed_by_itself(facts, event)


def failed(facts: Facts, reason: Reason, message: str) -> AgentRunStatus:
    """Return the terminal status of a run that came to nothing."""
    message = message[:MAX_DETAIL_CHARS]
    phase = Phase.CANCELLED if reason is Reason.CANCELLED else Phase.FAILED
    condition = _condition(facts, "Failed", reason.value, message)
    return _terminal(facts, phase, condition, error=RunError(reason=reason.value, message=message))


def running(facts: Facts) -> AgentRunStatus:
    """Return the status of a run that has been at work for a while."""
    return AgentRunStatus(
        phase=Phase.RUNNING,
        model=facts.model,
        started_at=_time(facts.started),
        job_name=facts.run.name,
        observed_generation=facts.run.generation,
    )


def queued(facts: Facts, reason: str, message: str, *, since: datetime) -> AgentRunStatus:
    """Return the status of a run that waits: for what, and since when."""
    condition = Condition(
        type="Queued",
        status="True",
        reason=reason,
        message=message,
        last_transition_time=kube_time(since),
        observed_generation=facts.run.generation,
    )
    return AgentRunStatus(
        phase=Phase.QUEUED,
        observed_generation=facts.run.generation,
        conditions=[condition],
    )


def to_object(status: AgentRunStatus) -> dict[str, Any]:
    """Return *status* as an API server takes it; the phase is always there."""
    fields: dict[str, Any] = msgspec.to_builtins(status)
    return {"phase": status.phase.value, **fields}


def _succeeded(facts: Facts, result: Result, sequence: int) -> AgentRunStatus:
    fits = len(result.text.encode()) <= MAX_STATUS_RESULT_BYTES
    condition = _condition(facts, "Complete", "Answered", "the agent answered")
    status = _terminal(facts, Phase.SUCCEEDED, condition, usage=_usage(result.usage))
    return msgspec.structs.replace(
        status,
        result=result.text if fits else "",
        result_sequence=0 if fits else sequence,
        files=list(good_files(result.files, owner=facts.run.uid)),
    )


def _failed_by_itself(facts: Facts, failure: Failure) -> AgentRunStatus:
    known = failure.reason in Reason.__members__.values()
    reason = failure.reason if known else Reason.INTERNAL.value
    detail = failure.detail[:MAX_DETAIL_CHARS]
    condition = _condition(facts, "Failed", reason, detail)
    error = RunError(reason=reason, message=detail)
    return _terminal(facts, Phase.FAILED, condition, error=error, usage=_usage(failure.usage))


def _terminal(
    facts: Facts,
    phase: Phase,
    condition: Condition,
    *,
    error: RunError | None = None,
    usage: RunUsage | None = None,
) -> AgentRunStatus:
    return AgentRunStatus(
        phase=phase,
        error=error,
        model=facts.model,
        usage=usage,
        started_at=_time(facts.started),
        finished_at=kube_time(facts.now),
        job_name=facts.run.name if facts.has_job else "",
        observed_generation=facts.run.generation,
        conditions=[condition],
        blocked_connections=max(0, min(facts.blocked, MAX_BLOCKED)),
    )


def _condition(facts: Facts, type_: str, reason: str, message: str) -> Condition:
    return Condition(
        type=type_,
        status="True",
        reason=reason,
        message=message,
        last_transition_time=kube_time(facts.now),
        observed_generation=facts.run.generation,
    )


def _usage(usage: Usage) -> RunUsage | None:
    usage = usage.bounded()
    if not usage.input_tokens and not usage.output_tokens:
        return None
    return RunUsage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else kube_time(moment)
