"""What becomes of a message from INBOX: an agent's work, the system's answer, a change, or nothing.

What is decided first stays: a message that comes again, however late, goes on from
its row. What is not for the bot leaves no row, and is decided again in the same way.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from sympozium.bus.ports import Bus, Stored
from sympozium.chat.commands import RETRY
from sympozium.contract.channel import ChannelSpec
from sympozium.contract.envelope import wrap
from sympozium.contract.messages import InboundKind, InboundMessage
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import run_in
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import End, Message, Scene, SessionStore, Talk, Verdict
from sympozium_router.clock import Clock
from sympozium_router.commands.commands import Commands
from sympozium_router.dead import again
from sympozium_router.dead.again import Retries
from sympozium_router.dead.aside import Aside
from sympozium_router.dead.unshown import find_unshown, send_again
from sympozium_router.inbox.admission import Admission
from sympozium_router.inbox.amendments import Amendments
from sympozium_router.inbox.choosing import agents_of, who_answers
from sympozium_router.inbox.letters import Letter
from sympozium_router.outbox.ends import dropped_end, failed_end
from sympozium_router.runs.runs import Runs
from sympozium_router.runs.task import steering_of
from sympozium_router.runs.turns import placed, with_run
from sympozium_router.world.cluster import Cluster


@dataclass(frozen=True)
class Departments:
    """Who deals with what comes in."""

    admission: Admission
    commands: Commands
    amendments: Amendments
    runs: Runs
    retries: Retries
    aside: Aside
    publish: Callable[[Message], Awaitable[None]]
    """Tells a person the end of a message."""


class Reception:
    """Sees every message to what is to become of it. Doing it again changes nothing.

    Every method raises `TransientError` while a part of the system is away; the same
    call goes on later.
    """

    def __init__(
        self, bus: Bus, store: SessionStore, cluster: Cluster, to: Departments, clock: Clock
    ) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._to = to
        self.aside = to.aside
        self._clock = clock

    async def give(self, letter: Letter, inbound: InboundMessage) -> None:
        """Deal with one message; when this returns, what it needs is durable."""
        row = Message(
            letter.namespace, letter.channel, inbound, letter.sequence, recorded_at=self._clock()
        )
        if inbound.kind is InboundKind.EDIT:
            await self._to.amendments.edit(row)
        elif inbound.kind is InboundKind.DELETE:
            await self._to.amendments.withdraw(row)
        elif (known := await self._store.known(row.key)) is not None:
            await self._go_on(known)
        elif (recorded := await self._record(row)) is not None:
            await self._go_on(recorded, is_new=True)

    async def refuse(self, letter: Letter, inbound: InboundMessage, reason: Reason) -> bool:
        """Record a message with its refusal; return False if it has a run or an end already.

        Raises:
            TransientError: Try again.
        """
        if inbound.kind in {InboundKind.EDIT, InboundKind.DELETE}:
            return True  # nobody waits for an answer to these
        row = Message(
            letter.namespace, letter.channel, inbound, letter.sequence, recorded_at=self._clock()
        )
        return await self._to.aside.refuse(row, reason)

    async def put_through(self, first: Message, *, sequence: int) -> again.Again:
        """Put *first* through once more, as an operator wants; see `Retries.next_try`."""
        found = await self._to.retries.next_try(first, sequence=sequence, now=self._clock())
        if found.message is not None and (stored := await self._record(found.message)) is not None:
            await self._go_on(stored, is_new=True)
        return found

    async def _try_again(self, request: Message, spec: ChannelSpec) -> Message:
        """Put through once more what the command *request* asks for, and record that.

        What exists and was not shown is shown, and not worked on again.
        """
        meant = await self._to.retries.meant_by(request)
        if isinstance(meant, str):
            end = again.refused(again.Again(refusal=meant), now=self._clock())
            return await self._store.record(replace(request, end=end))
        unshown = await find_unshown(self._bus, meant)
        if unshown is not None:
            return await self._show_again(request, unshown)
        at, now = request.sequence, request.recorded_at
        found = await self._to.retries.next_try(meant, sequence=at, now=now, asked_at=at)
        if found.message is not None:
            stored = await self._decided(found.message, spec)
            await self._go_on(stored, is_new=True)
        if found.first is not None:
            await self.aside.unbury(found.first)
        end = again.refused(found, now=self._clock())
        return await self._store.record(replace(request, end=end))

    async def _show_again(self, request: Message, unshown: Stored) -> Message:
        """Have an end shown that its channel gave up, and record that; see `send_again`."""
        await send_again(self._bus, unshown)
        recorded = await self._store.record(replace(request, end=dropped_end(self._clock())))
        await self._bus.unbury(unshown.sequence)  # not before: the request may come again
        return recorded

    async def _record(self, row: Message) -> Message | None:
        """Decide about a new message and store it; None: it is not for the bot."""
        admitted = await self._to.admission.admit(row)
        if admitted is None:
            return None
        if isinstance(admitted, End):
            return await self._store.record(replace(row, end=admitted))
        return await self._decided(row, admitted)

    async def _decided(self, row: Message, spec: ChannelSpec) -> Message:
        """Store a message that is heard, with what becomes of it."""
        command = row.inbound.command
        if row.inbound.kind is not InboundKind.COMMAND or command is None:
            return await self._place(row, spec)
        if command.name == RETRY:
            return await self._try_again(row, spec)
        return await self._to.commands.answer(row, spec)

    async def _place(self, row: Message, spec: ChannelSpec) -> Message:
        """Store a message for an agent, where the channel's mode wants it."""
        many = len(agents_of(spec)) > 1
        talk = await self._store.talk(row.conversation) if many else Talk()
        row = replace(row, agent=who_answers(row.inbound, spec, talk))
        if await self._cluster.agent(row.namespace, row.agent) is None:
            end = failed_end(row, Reason.AGENT_NOT_FOUND, now=self._clock())
            return await self._store.record(replace(row, end=end))
        reach(Point.ROUTER_BEFORE_RECORD)
        if spec.mode == "queue":
            return await self._store.record(with_run(row))

        def decide(scene: Scene) -> Verdict:
            return placed(row, scene.open, spec.mode)

        return await self._store.record(row, decide)

    async def _go_on(self, message: Message, *, is_new: bool = False) -> None:
        """Do what is left to do for a stored message. What waits is looked after by the outbox."""
        if message.end is not None:
            if message.end.is_out_of_line and not message.outbox_sequence:
                await self._to.publish(message)
        elif message.offered_to:
            await self._offer(message)
        elif message.run_name:
            reach(Point.ROUTER_AFTER_RECORD)
            await self._to.runs.start(message, [message] if is_new else None)

    async def _offer(self, message: Message) -> None:
        """Hand a message to the run at work. Whether it takes it in, its status will say."""
        leader = await self._store.known(message.key._replace(message_id=message.offered_to))
        if leader is None or leader.end is not None or not leader.run_uid:
            return
        steering = steering_of(message, leader)
        id_ = f"{message.namespace}/{message.channel}/{message.id}/steer"
        data = wrap(steering, id=id_, time=self._clock())
        reach(Point.ROUTER_BEFORE_OFFER)
        await self._bus.publish(run_in(message.namespace, leader.run_uid), data, message_id=id_)
        reach(Point.ROUTER_AFTER_OFFER)
