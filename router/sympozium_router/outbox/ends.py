"""What the state of a run means for the person who waits: pure decisions."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from sympozium.contract.agentrun import AgentRunStatus, Phase
from sympozium.contract.errors import PermanentError
from sympozium.contract.files import good_files
from sympozium.contract.limits import DEFAULT_RUN_TIMEOUT, MAX_QUEUED
from sympozium.contract.messages import (
    FileRef,
    OutboundKind,
    OutboundMessage,
    VisibleError,
    outbound_id,
)
from sympozium.contract.names import MessageId, RunName, RunUid, reference_of
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.run_events import Usage
from sympozium.contract.times import parse_duration, parse_kube_time, read_kube_time
from sympozium.kube.refusals import rule_of
from sympozium.store.ports import Cut, End, Message
from sympozium_router.outbox.wording import Facts, sentence
from sympozium_router.world.cluster import uid_of
from sympozium_router.world.held import is_terminal

SILENCE_ENDS_AFTER = timedelta(seconds=14)
"""How long past its deadline a run may say nothing. People are told within 15 s."""

_BROKEN = AgentRunStatus(phase=Phase.FAILED)
_NOTHING = Usage()


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        reason: Why there is no answer; None where there is one.
        rule: What the rule that refused it says for itself.
        result_sequence: Where RUNS holds the answer, if it is too long for *text*; else 0.
        absorbed: Messages that were handed to it and that its answer answers too.
    """

    text: str = ""
    reason: str | None = None
    rule: str = ""
    result_sequence: int = 0
    files: tuple[FileRef, ...] = ()
    absorbed: tuple[MessageId, ...] = ()
    usage: Usage = _NOTHING


def outcome_of(run: Object) -> Outcome | None:
    """Return how *run* ended; None while it has not."""
    if not is_terminal(run):
        return None
    status = _status(run)
    spent = status.usage
    outcome = Outcome(
        text=status.result,
        result_sequence=status.result_sequence,
        files=good_files(status.files, owner=uid_of(run)),
        absorbed=tuple(status.absorbed),
        usage=Usage(input_tokens=spent.input_tokens, output_tokens=spent.output_tokens).bounded()
        if spent
        else _NOTHING,
    )
    reason = _reason(status, has_answer=bool(outcome.files or status.result_sequence))
    if reason is None:
        return outcome
    rule = rule_of(reason, status.error.message) if status.error else ""
    return replace(outcome, reason=reason, rule=rule, text="", files=())


def _reason(status: AgentRunStatus, *, has_answer: bool) -> str | None:
    """Return why a run has no answer; None where it has one."""
    if status.phase in {Phase.CANCELLED, Phase.SKIPPED}:
        return Reason.CANCELLED
    if status.phase is not Phase.SUCCEEDED:
        return status.error.reason if status.error else Reason.INTERNAL
    return None if status.result or has_answer else Reason.MODEL_BAD_ANSWER


def silence_ends_at(run: Object, previous_end: datetime | None) -> datetime:
    """Return when a person is told that *run* took too long, if it has not ended by then.

    A run starts after the end of the message before it in its conversation, so
    its time counts from there. One that says that it waits is given the time to.
    """
    moments = [parse_kube_time(run["metadata"]["creationTimestamp"])]
    status = _status(run)
    started_at = read_kube_time(status.started_at)
    if started_at is not None:
        moments.append(started_at)
    if previous_end is not None:
        moments.append(previous_end)
    may_wait = MAX_QUEUED if status.phase is Phase.QUEUED else timedelta(0)
    return max(moments) + may_wait + _time_limit(run) + SILENCE_ENDS_AFTER


def failed_end(
    message: Message, reason: str, *, now: datetime, rule: str = "", code: str = ""
) -> End:
    """Return the end that tells why *message* gets no answer.

    Args:
        message: What was asked.
        reason: A `Reason`; one that is not known is told as `Internal`.
        now: When it is decided.
        rule: What a rule of the cluster says for itself.
        code: With which an operator can let its sender in.
    """
    inbound = message.inbound
    facts = Facts(
        reference=reference_of(_run_name(message), inbound.message_id),
        namespace=message.namespace,
        channel=message.channel,
        agent=message.agent,
        user_id=inbound.sender.user_id,
        rule=rule,
        code=code,
    )
    known = reason if reason in set(Reason) else Reason.INTERNAL
    error = VisibleError(code=known, message=sentence(reason, facts))
    return End(time=now, error=error, is_private=known == Reason.ACCESS_DENIED)


def dropped_end(now: datetime, usage: Usage = _NOTHING) -> End:
    """Return the end of a message about which nothing is said."""
    return End(time=now, is_dropped=True, usage=usage)


def cut_end(message: Message, *, now: datetime, usage: Usage = _NOTHING) -> End:
    """Return the end of a *message* that was cut short and has no answer."""
    if message.cut is Cut.WITHDRAWN:
        return dropped_end(now, usage)
    reason = Reason.INTERRUPTED if message.cut is Cut.INTERRUPTED else Reason.CANCELLED
    return replace(failed_end(message, reason, now=now), usage=usage)


def end_by_run(message: Message, end: End, *, now: datetime) -> End:
    """Return the end of *message* whose run has ended with *end*.

    What was withdrawn is not answered, and a run that was cancelled for a reason of
    ours is not said to be cancelled for none. An answer that came before stays.
    """
    is_cancelled = end.error is not None and end.error.code == Reason.CANCELLED
    if message.cut is Cut.WITHDRAWN or (message.cut and is_cancelled):
        return cut_end(message, now=now, usage=end.usage)
    return end


def end_with_another(message: Message, leader: Message, *, now: datetime) -> End | None:
    """Return the end of a *message* that went with the run of *leader*; None: it did not.

    An answer answers it too, and so does the reason why there is none. A leader that went
    with another itself had no run that was asked *message*.
    """
    if leader.end is None or leader.end.is_dropped or leader.end.answered_with:
        return None
    if message.carried_by != leader.id and message.id not in leader.end.absorbed:
        return None
    return End(time=now, answered_with=leader.id, error=leader.end.error)


def outbound_end(message: Message) -> tuple[str, OutboundMessage]:
    """Return what a channel is to show at last, and its id on the bus.

    Raises:
        ValueError: *message* has no end yet.
    """
    end = message.end
    if end is None:
        raise ValueError("a message that has not ended has nothing to show")
    shown = OutboundMessage(
        kind=end.kind,
        message_id=message.inbound.message_id,
        conversation=message.inbound.conversation,
        run_name=_run_name(message),
        run_uid=message.run_uid,
        agent="" if end.is_notice else message.agent,
        text=end.text,
        error=end.error,
        reply_to=message.inbound.reply_to,
        answered_with=end.answered_with,
        files=list(end.files),
        choices=list(end.choices),
        is_private=end.is_private,
        is_notice=end.is_notice,
    )
    return _bus_id(message, shown.kind), shown


def outbound_accepted(
    message: Message, uid: RunUid, *, waiting_for: int
) -> tuple[str, OutboundMessage]:
    """Return what a channel is to show when the run of *message* exists, and its id.

    Args:
        message: What the run answers.
        uid: That of the run.
        waiting_for: How many messages of its conversation come first.
    """
    shown = OutboundMessage(
        kind=OutboundKind.ACCEPTED,
        message_id=message.inbound.message_id,
        conversation=message.inbound.conversation,
        run_name=message.run_name,
        run_uid=uid,
        agent=message.agent,
        reply_to=message.inbound.reply_to,
        waiting_for=waiting_for,
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
