"""Answering a run's bridge that asks what the run is to do, and what was said before.

The run may ask in the very moment in which the message before it was answered,
and before that answer is in the session store. It is then taken from where the
store will have it from: the status of the earlier run. So a follow-up never
misses the answer that it follows.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import msgspec

from sympozium.bus.ports import Bus, LiveBus
from sympozium.bus.restarts import is_past_restart
from sympozium.contract.agent import AgentConfig, AgentSpec
from sympozium.contract.agentrun import AgentRunSpec, Source, ToolPolicy
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_HISTORY_MESSAGES
from sympozium.contract.messages import Entry, FileRef
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.new_run import PROVIDER
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.run_events import (
    ContextAnswer,
    ContextRequest,
    ModelAccess,
    RunContext,
    Steering,
)
from sympozium.contract.subjects import ROUTER_GROUP, run_of
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import MAX_OPEN, Conversation, Message, MessageKey, SessionStore
from sympozium_router.clock import Clock
from sympozium_router.desk.transcripts import memory_of
from sympozium_router.outbox.replies import Replies
from sympozium_router.runs.task import files_of, steering_of, task_of
from sympozium_router.runs.turns import asked_by, begun
from sympozium_router.world.cluster import Cluster, uid_of
from sympozium_router.world.held import is_cut, is_terminal

log = logging.getLogger(__name__)

SUBJECTS = "context.*.*"

_TOO_LATE = ContextAnswer(
    error="an earlier pod of this run was taken away after it had called a tool",
    reason=Reason.EVICTED,
)

T = TypeVar("T")


class AnyBus(Bus, LiveBus, Protocol):
    """What lasts and what does not."""


@dataclass(frozen=True)
class Question:
    """What a run is asked."""

    task: str
    files: list[FileRef] = field(default_factory=list)
    steered: list[Steering] = field(default_factory=list)


class Contexts:
    """Tells runs what they need to know."""

    def __init__(
        self, bus: AnyBus, store: SessionStore, cluster: Cluster, replies: Replies, clock: Clock
    ) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._replies = replies
        self._clock = clock

    def responding(self) -> AbstractAsyncContextManager[None]:
        """Answer while the block lasts; of several routers one answers."""
        return self._bus.respond(SUBJECTS, self.answer, group=ROUTER_GROUP)

    async def answer(self, subject: str, data: bytes) -> bytes:
        """Return an encoded `ContextAnswer`; the subject says whose."""
        try:
            namespace, uid = run_of(subject)
            asked = decode(data or b"{}", ContextRequest)
            run = await self._cluster.run_by_uid(namespace, uid, asked.run_name)
            if run is None:
                answer = ContextAnswer(error=f"there is no run of uid {uid!r} in {namespace!r}")
            elif await self._is_replacement(namespace, uid, asked.pod_uid):
                answer = _TOO_LATE
            else:
                answer = ContextAnswer(context=await self._context(run))
        except PermanentError as error:
            answer = ContextAnswer(error=str(error))
        except TransientError as error:
            log.warning("context not there yet", extra={"action": "retry", "cause": str(error)})
            answer = ContextAnswer(error="the router cannot read it now", retry=True)
        return encode(answer)

    async def _is_replacement(self, namespace: str, uid: RunUid, pod_uid: str) -> bool:
        """Return whether the pod that asks came in the place of one that did what lasts."""

        def is_another(pod: str) -> bool:
            return pod != pod_uid

        return bool(pod_uid) and await is_past_restart(self._bus, namespace, uid, is_another)

    async def _context(self, run: Object) -> RunContext:
        spec = _converted(run["spec"], AgentRunSpec)
        namespace = run["metadata"]["namespace"]
        agent = await self._cluster.agent(namespace, spec.agent_ref)
        if agent is None:
            raise PermanentError(f"there is no Agent {spec.agent_ref!r} in {namespace!r}")
        agent_spec = _converted(agent["spec"], AgentSpec)
        config = agent_spec.agents.default
        skills = agent_spec.skills if spec.skills is None else spec.skills
        policy = spec.tool_policy or ToolPolicy()
        question = await self._question(namespace, spec)
        return RunContext(
            run_name=RunName(run["metadata"]["name"]),
            run_uid=uid_of(run),
            task=question.task,
            model=_model(spec, config),
            system_prompt=config.system_prompt,
            history=await self._history(namespace, spec.source) if spec.source else [],
            skills=[skill.skill_pack_ref for skill in skills],
            allowed_tools=policy.allow,
            denied_tools=policy.deny,
            files=question.files,
            steered=question.steered,
        )

    async def _question(self, namespace: str, spec: AgentRunSpec) -> Question:
        """Return what the run is asked, as its messages say now. They do not change after this."""
        if spec.source is None:
            return Question(spec.task)
        key = MessageKey(namespace, spec.source.channel, spec.source.message_id)
        leader = await self._store.known(key)
        if leader is None:
            return Question(spec.task)
        now = self._clock()

        def read(open_: Sequence[Message]) -> list[Message]:
            return begun(asked_by(leader.id, open_), now)

        asked = await self._store.revise(leader.conversation, read)
        reach(Point.ROUTER_AFTER_BEGUN)
        if not asked or asked[0].id != leader.id:  # it has ended, and nobody waits for this run
            return Question(spec.task)
        offered = await self._store.open_messages(leader.conversation, limit=MAX_OPEN)
        return Question(
            task=task_of(asked),
            files=files_of(asked),
            steered=[
                steering_of(message, leader)
                for message in offered
                if message.offered_to == leader.id and message.end is None and not message.cut
            ],
        )

    async def _history(self, namespace: str, source: Source) -> list[Entry]:
        conversation = Conversation(namespace, source.channel, source.conversation)
        since = (await self._store.talk(conversation)).since
        earlier = await self._store.transcript(
            conversation, limit=MAX_HISTORY_MESSAGES, before=source.sequence, since=since
        )
        return memory_of([await self._with_end(message) for message in earlier])

    async def _with_end(self, message: Message) -> Message:
        if message.end is not None or not message.run_uid:
            return message
        names = message.namespace, message.run_name
        run = self._cluster.known_run(*names)
        if run is None or is_cut(run) or not is_terminal(run):  # it must be by now
            run = await self._cluster.fresh_run(*names, message.run_uid)
        if run is None:
            return message
        return replace(message, end=await self._replies.end(message, run, now=message.recorded_at))


def _model(spec: AgentRunSpec, config: AgentConfig) -> ModelAccess:
    if spec.model is None:
        return ModelAccess(provider=PROVIDER, model=config.model)
    return ModelAccess(provider=spec.model.provider, model=spec.model.model)


def _converted(spec: Object, kind: type[T]) -> T:
    try:
        return msgspec.convert(spec, kind)
    except msgspec.ValidationError as error:
        raise PermanentError(f"cannot read the {kind.__name__}: {error}") from None
