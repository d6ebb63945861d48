"""What the state of a run means for the person who waits: pure decisions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from sympozium.contract.agentrun import AgentRunStatus, Phase
from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import DEFAULT_RUN_TIMEOUT
from sympozium.contract.messages import OutboundKind, OutboundMessage, VisibleError, outbound_id
from sympozium.contract.names import RunName
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.times import parse_duration, parse_kube_time
from sympozium.store.ports import End, Message
from sympozium_router.cluster import is_terminal
from sympozium_router.wording import Facts, reference_of, sentence

SILENCE_ENDS_AFTER = timedelta(seconds=14)
"""How long past its deadline a run may say nothing. People are told within 15 s."""

_BROKEN = AgentRunStatus(phase=Phase.FAILED)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        reason: Why there is no answer; None where there is one.
        result_sequence: Where RUNS holds the answer, if it is too long for *text*; else 0.
    """

    text: str = ""
    reason: str | None = None
    result_sequence: int = 0


def outcome_of(run: Object) -> Outcome | None:
    """Return how *run* ended; None while it has not."""
    if not is_terminal(run):
        return None
    status = _status(run)
    if status.phase in {Phase.CANCELLED, Phase.SKIPPED}:
        return Outcome(reason=Reason.CANCELLED)
    if status.phase is not Phase.SUCCEEDED:
        return Outcome(reason=status.error.reason if status.error else Reason.INTERNAL)
    if not status.result and not status.result_sequence:
        return Outcome(reason=Reason.MODEL_BAD_ANSWER)
    return Outcome(text=status.result, result_sequence=status.result_sequence)


def silence_ends_at(run: Object, previous_end: datetime | None) -> datetime:
    """Return when a person is told that *run* took too long, if it has not ended by then.

    A run starts after the end of the message before it in its conversation, so
    its time counts from there.
    """
    moments = [parse_kube_time(run["metadata"]["creationTimestamp"])]
    started_at = _status(run).started_at
    if started_at:
        moments.append(parse_kube_time(started_at))
    if previous_end is not None:
        moments.append(previous_end)
    return max(moments) + _time_limit(run) + SILENCE_ENDS_AFTER


def failed_end(message: Message, reason: str, *, now: datetime, rule: str = "") -> End:
    """Return the end that tells why *message* gets no answer."""
    inbound = message.inbound
    facts = Facts(
        reference=reference_of(_run_name(message), inbound.message_id),
        namespace=message.namespace,
        channel=message.channel,
        agent=message.agent,
        user_id=inbound.sender.user_id,
        rule=rule,
    )
    code = reason if reason in set(Reason) else Reason.INTERNAL
    return End(time=now, error=VisibleError(code=code, message=sentence(reason, facts)))


def outbound_end(message: Message) -> tuple[str, OutboundMessage]:
    """Return what a channel is to show at last, and its id on the bus.

    Raises:
        ValueError: *message* has no end yet.
    """
    end = message.end
    if end is None:
        raise ValueError("a message that has not ended has nothing to show")
    kind = OutboundKind.FINAL if end.error is None else OutboundKind.ERROR
    shown = OutboundMessage(
        kind=kind,
        message_id=message.inbound.message_id,
        conversation=message.inbound.conversation,
        run_name=_run_name(message),
        run_uid=message.run_uid,
        agent=message.agent,
        text=end.text,
        error=end.error,
    )
    return _bus_id(message, kind), shown


def outbound_accepted(message: Message) -> tuple[str, OutboundMessage]:
    """Return what a channel is to show when the run of *message* exists, and its id."""
    shown = OutboundMessage(
        kind=OutboundKind.ACCEPTED,
        message_id=message.inbound.message_id,
        conversation=message.inbound.conversation,
        run_name=message.run_name,
        run_uid=message.run_uid,
        agent=message.agent,
    )
    return _bus_id(message, shown.kind), shown


def _bus_id(message: Message, kind: OutboundKind) -> str:
    """Return the id by which the bus recognises a repetition.

    The stream is everybody's, and a message's id is what its channel says it is:
    one channel must not be able to use up the ids of another's replies.
    """
    return f"{message.namespace}/{message.channel}/{outbound_id(message.inbound.message_id, kind)}"


def _run_name(message: Message) -> RunName:
    """Return the name of the run, if there ever was one: nobody can look up another."""
    return message.run_name if message.run_uid else RunName("")


def _status(run: Object) -> AgentRunStatus:
    try:
        return msgspec.convert(run.get("status", {}), AgentRunStatus)
    except msgspec.ValidationError:
        return _BROKEN  # somebody wrote by hand what the kind does not know


def _time_limit(run: Object) -> timedelta:
    text = run["spec"].get("timeout", "")
    try:
        return parse_duration(text) if text else DEFAULT_RUN_TIMEOUT
    except PermanentError:
        return DEFAULT_RUN_TIMEOUT
