"""Telling people the end of their message: exactly one, and in the order they wrote.

Driven by state, not by events: for a conversation, look at its unfinished
messages and at their runs as they are now, and publish every end that is due.
Whatever was missed (a restart, a lost watch, a run deleted by hand) is found at
the next look. An end is noted in the store before it is published and never
changes, and it is published under the message's id, so doing it again, here or
in a second router, shows nothing twice.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from sympozium.bus.ports import Bus
from sympozium.contract.envelope import wrap
from sympozium.contract.errors import TransientError
from sympozium.contract.names import ConversationId, short_hash
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.subjects import outbox
from sympozium.kube.informer import Key
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.runtime.loops import until_there
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import (
    MAX_OPEN,
    Conversation,
    End,
    Message,
    SessionStore,
    StoreUnavailableError,
)
from sympozium_router.clock import Clock
from sympozium_router.measures import ENDS, PUBLISHED, reason_of
from sympozium_router.outbox.ends import (
    cut_end,
    end_by_run,
    end_with_another,
    failed_end,
    outbound_end,
    silence_ends_at,
)
from sympozium_router.outbox.published import Published
from sympozium_router.outbox.replies import Replies
from sympozium_router.runs.runs import Runs
from sympozium_router.world.cluster import Cluster, uid_of
from sympozium_router.world.held import is_terminal

log = logging.getLogger(__name__)

MAX_BACKOFF_S = 2.0
"""People wait; an outage that is over must show within seconds."""

WORKERS = 32
LOOK_FOR_SILENCE_EVERY_S = 0.5

LOOK_AT_ALL_EVERY_S = 30.0
"""It is one read by an index, and asks the API server nothing."""

RETRY_S = 0.25

PAGE = 32
"""Messages of one conversation read at once; whoever floods it pays for it alone."""


class Outbox:
    """Publishes the ends of messages."""

    def __init__(
        self, bus: Bus, store: SessionStore, cluster: Cluster, runs: Runs, clock: Clock
    ) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._runs = runs
        self._clock = clock
        self._replies = Replies(bus)
        self._published = Published(bus)
        self._queue: WorkQueue[Conversation] = WorkQueue(
            QueueName.OUTBOX, max_backoff_s=MAX_BACKOFF_S
        )
        self._silence_ends: dict[Conversation, datetime] = {}
        self._is_caught_up = False
        cluster.listen_to_runs(self._run_changed)

    def look_at(self, conversation: Conversation) -> None:
        """Have the ends that are due in *conversation* published soon."""
        self._queue.add(conversation)

    def hurry(self) -> None:
        """Try again now what was put off."""
        self._queue.hurry()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish ends until *stop* is set, beginning with what a predecessor left.

        The copies of the cluster's objects must be complete.
        """
        await self._look_at_what_is_left()
        self._is_caught_up = True
        async with asyncio.TaskGroup() as group:
            others = group.create_task(self._look_after_others())
            silence = group.create_task(self._break_silence())
            await self._queue.work(self.publish_ends, stop, workers=WORKERS)
            others.cancel()
            silence.cancel()

    async def publish_ends(self, conversation: Conversation) -> None:
        """Publish every end that is due in *conversation*, up to the first that is not.

        What waits for its turn is started when it has come. What is told out of line is
        published wherever it stands.

        Raises:
            TransientError: A part of the system is away; what was done is noted.
        """
        self._silence_ends.pop(conversation, None)
        while unfinished := await self._store.open_messages(conversation, limit=PAGE):
            await self._end_early(conversation, unfinished)
            for place, message in enumerate(unfinished):
                ended = message if message.end else await self._finish(message)
                if ended is None:
                    await self._publish_out_of_line(unfinished[place:])
                    return
                await self.publish_end(ended)

    async def publish_end(self, message: Message) -> None:
        """Publish the end of *message*, which has one. Doing it again shows nothing twice.

        Raises:
            TransientError: The bus or the store is away.
        """
        id_, shown = outbound_end(message)
        sequence = await self._published.sequence(message, now=self._clock())
        if not sequence:
            subject = outbox(message.namespace, message.channel)
            data = wrap(shown, id=id_, time=self._clock())
            sequence = (await self._bus.publish(subject, data, message_id=id_)).sequence
            PUBLISHED.add(shown.kind)
            reach(Point.ROUTER_AFTER_PUBLISH)
        await self._store.published(message.key, sequence)
        reach(Point.ROUTER_AFTER_PUBLISHED)
        ENDS.add(shown.kind, reason_of(shown.error.code) if shown.error else None)
        log.info(
            "message answered",
            extra={
                "action": "publish",
                "kind": shown.kind.value,
                "run": message.run_name,
                "reference": short_hash(message.id),
                "reason": shown.error.code if shown.error else "",
                "sequence": message.sequence,
            },
        )

    async def _publish_out_of_line(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.end is not None and message.end.is_out_of_line:
                await self.publish_end(message)

    async def _end_early(self, conversation: Conversation, page: Sequence[Message]) -> None:
        """Have the runs of all messages that were cut short end, wherever they stand in line."""
        if not any(message.cut for message in page):
            return
        if len(page) == PAGE:
            page = await self._store.open_messages(conversation, limit=MAX_OPEN)
        for message in page:
            if message.cut and message.run_uid and message.end is None:
                reach(Point.ROUTER_BEFORE_CANCEL)
                await self._cluster.cancel_run(message.namespace, message.run_name)
                reach(Point.ROUTER_AFTER_CANCEL)

    async def _finish(self, message: Message) -> Message | None:
        """Note the end of *message* and return it with its end; None while it has none."""
        if message.run_uid:
            end = await self._end_of_run(message)
        elif message.cut:
            end = await self._end_of_cut(message)
        elif message.run_name:  # it is being made, or who was making it died
            return await self._finish_begun(await self._runs.start(message))
        else:
            leader = await self._leader(message)
            if leader is not None and leader.end is None:
                return None  # what we have read is old: somebody gave it this place meanwhile
            end = end_with_another(message, leader, now=self._clock()) if leader else None
            if end is None:
                return await self._finish_begun(await self._runs.take_turn(message))
        if end is None:
            return None
        reach(Point.ROUTER_BEFORE_FINISH)
        ended = await self._store.finish(message.key, end, as_cut=message.cut)
        reach(Point.ROUTER_AFTER_FINISH)
        if ended.end is None:  # it was cut short after it was read
            self.look_at(message.conversation)
            return None
        return ended

    async def _finish_begun(self, message: Message | None) -> Message | None:
        """Note the end of a message whose run was begun just now, and may be over all the same.

        A router that died may have made it; that it ended was told before anybody waited for it.
        """
        if message is None or message.end is not None:
            return message
        return await self._finish(message) if message.run_uid or message.cut else None

    async def _end_of_run(self, message: Message) -> End | None:
        run = await self._cluster.run(message.namespace, message.run_name, message.run_uid)
        now = self._clock()
        if run is None:
            is_served = await self._cluster.is_tenant(message.namespace)
            reason = Reason.CANCELLED if is_served else Reason.NAMESPACE_CLOSED
            end: End | None = failed_end(message, reason, now=now)
        else:
            end = await self._replies.end(message, run, now=now)
            end = end or await self._end_of_silence(message, run, now)
        return None if end is None else end_by_run(message, end, now=now)

    async def _end_of_cut(self, message: Message) -> End | None:
        """Return the end of a message that was cut short before its run was known to exist."""
        name = message.run_name
        run = await self._cluster.run_named(message.namespace, name) if name else None
        source = (run["spec"].get("source") or {}) if run else {}
        if run is None or source.get("messageId") != message.id:
            return cut_end(message, now=self._clock())
        await self._store.started(message.key, uid_of(run))  # it was made all the same
        await self._cluster.cancel_run(message.namespace, name)
        self.look_at(message.conversation)
        return None

    async def _leader(self, message: Message) -> Message | None:
        """Return the message with whose run *message* went or may have gone, if there is one."""
        other = message.carried_by or message.offered_to
        if not other:
            return None
        return await self._store.known(message.key._replace(message_id=other))

    async def _end_of_silence(self, message: Message, run: Object, now: datetime) -> End | None:
        previous = await self._store.last_end(message.conversation, message.sequence)
        due = silence_ends_at(run, previous)
        if now < due:
            self._silence_ends[message.conversation] = due
            return None
        return failed_end(message, Reason.DEADLINE_EXCEEDED, now=now)

    async def _look_at_what_is_left(self) -> None:
        def say_that_it_waits(error: TransientError) -> None:
            cause = {"action": "retry", "cause": str(error)}
            log.warning("cannot read what is left yet", extra=cause)

        await until_there(self._look_at_all, retry_s=RETRY_S, told=say_that_it_waits)

    async def _look_at_all(self) -> None:
        for conversation in await self._store.open_conversations():
            self.look_at(conversation)

    async def _look_after_others(self) -> None:
        """Find, now and then, what another router had accepted and did not live to look at."""
        while True:
            await asyncio.sleep(LOOK_AT_ALL_EVERY_S)
            self._published.forget(now=self._clock())
            try:
                await self._look_at_all()
            except StoreUnavailableError as error:
                cause = {"action": "retry", "cause": str(error)}
                log.warning("cannot read what is unfinished", extra=cause)

    async def _break_silence(self) -> None:
        while True:
            await asyncio.sleep(LOOK_FOR_SILENCE_EVERY_S)
            now = self._clock()
            for conversation, due in self._silence_ends.items():
                if due <= now:
                    self.look_at(conversation)

    def _run_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        run = new or old
        source = run["spec"].get("source") if run else None
        if new is None and old is not None and is_terminal(old):
            return  # it was looked at when it ended, and is deleted because it is old
        if source and self._is_caught_up and (new is None or is_terminal(new)):
            conversation = ConversationId(source.get("conversation", ""))
            self.look_at(Conversation(key[0], source.get("channel", ""), conversation))
