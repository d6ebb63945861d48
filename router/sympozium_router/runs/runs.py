"""From a message to its one AgentRun: making it, changing what it is asked, ending it."""

import logging
from collections.abc import Sequence

from sympozium.bus.ports import Bus
from sympozium.contract.agentrun import Source
from sympozium.contract.channel import ChannelSpec
from sympozium.contract.envelope import wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import short_hash
from sympozium.contract.new_run import build_run
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.subjects import outbox
from sympozium.kube.errors import ForbiddenError, InvalidError
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import MAX_OPEN, Conversation, Message, SessionStore
from sympozium_router.clock import Clock
from sympozium_router.measures import PUBLISHED, RUN_MADE
from sympozium_router.outbox.ends import failed_end, outbound_accepted
from sympozium_router.runs.refusals import RefusedError, refusal_of
from sympozium_router.runs.task import task_of
from sympozium_router.runs.turns import asked_by, next_turn
from sympozium_router.world.cluster import Cluster, uid_of

log = logging.getLogger(__name__)


class Runs:
    """Sees that messages have their runs. Doing it again changes nothing.

    Every method raises `TransientError` while a part of the system is away; the same
    call goes on later.
    """

    def __init__(self, bus: Bus, store: SessionStore, cluster: Cluster, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def start(self, message: Message, asked: Sequence[Message] | None = None) -> Message:
        """See that the run of *message* exists; return it as stored, with an end if refused.

        What was cut short before it had a run gets none.

        Args:
            message: Stored, with the name of its run.
            asked: It and those whose text is in its task; None: look them up.
        """
        if message.end is not None or message.run_uid or message.cut:
            return message
        try:
            return await self._start(message, asked or await self._asked(message))
        except RefusedError as error:
            return await self.refuse(message, error.reason, rule=error.rule)

    async def take_turn(self, seen: Message) -> Message | None:
        """Start *seen*, which waits, if it is the first of its conversation.

        Its earlier place, if it had one, must have come to nothing. Return it as `start`;
        None where there was nothing to start.
        """
        conversation = seen.conversation
        collects = await self._collects(conversation)
        led = await self._store.revise(
            conversation, lambda open_: next_turn(open_, seen, collects=collects)
        )
        if not led:
            return None
        reach(Point.ROUTER_AFTER_TURN)
        return await self.start(led[0], led)

    async def rewrite(self, message: Message) -> None:
        """Have the run of *message* asked what the store says now, if it exists."""

        async def wanted() -> str | None:
            asked = await self._asked(message)
            return task_of(asked) if asked else None

        if message.run_uid:
            await self._cluster.change_task(message.namespace, message.run_name, wanted)

    async def refuse(self, message: Message, reason: Reason, *, rule: str = "") -> Message:
        """Note why a stored *message* gets no run; return it, with no end if it was cut short."""
        end = failed_end(message, reason, now=self._clock(), rule=rule)
        log.info(
            "message refused",
            extra={
                "action": "refuse",
                "reason": reason,
                "reference": short_hash(message.id),
                "sequence": message.sequence,
            },
        )
        return await self._store.finish(message.key, end, as_cut=message.cut)

    async def _start(self, message: Message, asked: Sequence[Message]) -> Message:
        run = self._cluster.known_run(message.namespace, message.run_name)
        if run is None:
            run = await self._create(message, asked)
            reach(Point.ROUTER_AFTER_CREATE)
        if run["spec"].get("source", {}).get("messageId") != message.id:
            raise RefusedError(
                f"cannot use AgentRun {message.run_name!r}: it answers something else",
                Reason.INTERNAL,
            )
        known = await self._store.known(message.key)
        if known is None or known.end is None:  # nobody is told of work after the end of it
            await self._tell(message, run)
            reach(Point.ROUTER_AFTER_TELL)
        stored = await self._store.started(message.key, uid_of(run))
        reach(Point.ROUTER_AFTER_STARTED)
        log.info(
            "message accepted",
            extra={"action": "create", "run": message.run_name, "sequence": message.sequence},
        )
        await self._catch_up(asked, stored)
        return stored

    async def _create(self, message: Message, asked: Sequence[Message]) -> Object:
        name = message.agent
        agent = await self._cluster.agent(message.namespace, name) if name else None
        if agent is None:
            raise RefusedError(f"no Agent {message.agent!r}", Reason.AGENT_NOT_FOUND)
        source = Source(
            channel=message.channel,
            conversation=message.inbound.conversation,
            message_id=message.id,
            sequence=message.sequence,
            sender=message.inbound.sender,
        )
        model = await self._chosen_model(message.conversation)
        try:
            run = build_run(
                agent, name=message.run_name, task=task_of(asked), source=source, model=model
            )
            reach(Point.ROUTER_BEFORE_CREATE)
            with RUN_MADE.timed():
                return await self._cluster.create_run(run)
        except (InvalidError, ForbiddenError) as error:
            raise refusal_of(error) from error
        except PermanentError as error:
            raise RefusedError(str(error), Reason.CONFIGURATION) from error

    async def _tell(self, message: Message, run: Object) -> None:
        """Tell the channel that the run exists."""
        waiting = await self._store.waiting_before(message.conversation, message.sequence)
        id_, shown = outbound_accepted(message, uid_of(run), waiting_for=waiting)
        data = wrap(shown, id=id_, time=self._clock())
        await self._bus.publish(outbox(message.namespace, message.channel), data, message_id=id_)
        PUBLISHED.add(shown.kind)

    async def _catch_up(self, asked: Sequence[Message], stored: Message) -> None:
        """Do to the run that *asked* was created for what came for its messages meanwhile."""
        if stored.end is not None:
            await self._cluster.cancel_run(stored.namespace, stored.run_name)
        elif len(asked) > 1 or stored.inbound != asked[0].inbound:
            await self.rewrite(stored)

    async def _asked(self, message: Message) -> list[Message]:
        """Return *message* and those that it carries, as they are now; none if it has ended."""
        found = await self._store.open_messages(message.conversation, limit=MAX_OPEN)
        return asked_by(message.id, [one for one in found if one.end is None])

    async def _chosen_model(self, conversation: Conversation) -> str:
        """Return the model that was chosen for *conversation*, if it may be chosen still."""
        spec = await self._spec(conversation)
        if spec is None or not spec.models:
            return ""
        chosen = (await self._store.talk(conversation)).model
        return chosen if chosen in spec.models else ""

    async def _collects(self, conversation: Conversation) -> bool:
        try:
            spec = await self._spec(conversation)
        except RefusedError:
            return False
        return spec is not None and spec.mode == "collect"

    async def _spec(self, conversation: Conversation) -> ChannelSpec | None:
        return await self._cluster.channel_spec(conversation.namespace, conversation.channel)
