"""From a message to its one AgentRun: deciding whether it gets one, and making it."""

import logging
from dataclasses import replace

from sympozium.bus.ports import Bus
from sympozium.contract.agentrun import Source
from sympozium.contract.envelope import wrap
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage
from sympozium.contract.names import run_name
from sympozium.contract.new_run import build_run
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.subjects import outbox
from sympozium.kube.errors import ForbiddenError, InvalidError
from sympozium.store.ports import Message, Messages
from sympozium_router.access import may_speak
from sympozium_router.clock import Clock
from sympozium_router.cluster import Cluster, uid_of
from sympozium_router.ends import failed_end, outbound_accepted
from sympozium_router.letters import Letter
from sympozium_router.refusals import RefusedError, refusal_of

log = logging.getLogger(__name__)


class Runs:
    """Gives every message its run, or its refusal. Doing it again changes nothing."""

    def __init__(self, bus: Bus, store: Messages, cluster: Cluster, clock: Clock) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def give(self, letter: Letter, inbound: InboundMessage) -> None:
        """Record a message and see that its run exists, or that its refusal is noted.

        What is decided first stays: a message that comes again, however late, goes
        on from its row.

        Raises:
            TransientError: A part of the system is away. The same call goes on later.
        """
        message = await self._store.record(await self._decided(letter, inbound))
        if message.end is not None or message.run_uid:
            return
        try:
            await self._start(message)
        except RefusedError as error:
            await self._end(message, error.reason, rule=error.rule)

    async def refuse(self, letter: Letter, inbound: InboundMessage, reason: Reason) -> None:
        """Record a message with its refusal, unless it has a run or an end already.

        Raises:
            StoreUnavailableError: Try again.
        """
        message = await self._store.record(self._row(letter, inbound))
        if message.end is None and not message.run_uid:
            await self._end(message, reason)

    async def _decided(self, letter: Letter, inbound: InboundMessage) -> Message:
        """Return the row of a new message: with the name of its run, or with its end."""
        row = self._row(letter, inbound)
        channel = await self._cluster.channel(row.namespace, row.channel)
        if channel is None:
            return self._refused(row, Reason.AGENT_NOT_FOUND)
        spec = channel["spec"]
        row = replace(row, agent=spec["agentRef"])
        users = (spec.get("access") or {}).get("users") or []
        if not may_speak(inbound.sender, users):
            return self._refused(row, Reason.ACCESS_DENIED)
        if await self._cluster.agent(row.namespace, row.agent) is None:
            return self._refused(row, Reason.AGENT_NOT_FOUND)
        return replace(row, run_name=run_name(row.channel, inbound.message_id))

    async def _start(self, message: Message) -> None:
        run = self._cluster.known_run(message.namespace, message.run_name)
        if run is None:
            run = await self._create(message)
        if run["spec"].get("source", {}).get("messageId") != message.inbound.message_id:
            raise RefusedError(
                f"cannot use AgentRun {message.run_name!r}: it answers something else",
                Reason.INTERNAL,
            )
        message = replace(message, run_uid=uid_of(run))
        id_, shown = outbound_accepted(message)
        data = wrap(shown, id=id_, time=self._clock())
        subject = outbox(message.namespace, message.channel)
        await self._bus.publish(subject, data, message_id=id_)
        await self._store.started(message.key, message.run_uid)
        log.info(
            "message accepted",
            extra={"action": "create", "run": message.run_name, "sequence": message.sequence},
        )

    async def _create(self, message: Message) -> Object:
        agent = await self._cluster.agent(message.namespace, message.agent)
        if agent is None:
            raise RefusedError(f"no Agent {message.agent!r}", Reason.AGENT_NOT_FOUND)
        inbound = message.inbound
        source = Source(
            channel=message.channel,
            conversation=inbound.conversation,
            message_id=inbound.message_id,
            sequence=message.sequence,
            sender=inbound.sender,
        )
        try:
            run = build_run(agent, name=message.run_name, task=inbound.text, source=source)
            return await self._cluster.create_run(run)
        except (InvalidError, ForbiddenError) as error:
            raise refusal_of(error) from error
        except PermanentError as error:
            raise RefusedError(str(error), Reason.CONFIGURATION) from error

    async def _end(self, message: Message, reason: Reason, *, rule: str = "") -> None:
        end = failed_end(message, reason, now=self._clock(), rule=rule)
        await self._store.finish(message.key, end)
        log.info(
            "message refused",
            extra={"action": "refuse", "reason": reason, "sequence": message.sequence},
        )

    def _row(self, letter: Letter, inbound: InboundMessage) -> Message:
        return Message(
            letter.namespace, letter.channel, inbound, letter.sequence, recorded_at=self._clock()
        )

    def _refused(self, row: Message, reason: Reason) -> Message:
        return replace(row, end=failed_end(row, reason, now=self._clock()))
