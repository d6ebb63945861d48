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
from datetime import datetime, timedelta
from typing import Protocol

from sympozium.bus.ports import Bus
from sympozium.contract.envelope import wrap
from sympozium.contract.names import ConversationId
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.contract.subjects import INBOX_CONSUMER, outbox
from sympozium.kube.informer import Key
from sympozium.kube.queue import WorkQueue
from sympozium.store.ports import Conversation, End, Message, Messages, Unfinished
from sympozium_router.clock import Clock
from sympozium_router.cluster import Cluster, is_terminal
from sympozium_router.ends import failed_end, outbound_end, silence_ends_at
from sympozium_router.published import Published
from sympozium_router.replies import Replies

log = logging.getLogger(__name__)

MAX_BACKOFF_S = 2.0
"""People wait; an outage that is over must show within seconds."""

WORKERS = 32
LOOK_FOR_SILENCE_EVERY_S = 0.5

PAGE = 32
"""Messages of one conversation read at once; whoever floods it pays for it alone."""

LOST_AFTER = timedelta(minutes=1)
"""Only a message that has waited so long for its run is suspected to have been lost."""


class Store(Messages, Unfinished, Protocol):
    """What the outbox needs of the session store."""


class Outbox:
    """Publishes the ends of messages."""

    def __init__(
        self, bus: Bus, store: Store, cluster: Cluster, replies: Replies, clock: Clock
    ) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._clock = clock
        self._replies = replies
        self._published = Published(bus)
        self._queue: WorkQueue[Conversation] = WorkQueue(max_backoff_s=MAX_BACKOFF_S)
        self._silence_ends: dict[Conversation, datetime] = {}
        self._is_caught_up = False
        cluster.listen_to_runs(self._run_changed)

    def look_at(self, conversation: Conversation) -> None:
        """Have the ends that are due in *conversation* published soon."""
        self._queue.add(conversation)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish ends until *stop* is set, beginning with what a predecessor left.

        The copies of the cluster's objects must be complete.
        """
        for conversation in await self._store.open_conversations():
            self.look_at(conversation)
        self._is_caught_up = True
        async with asyncio.TaskGroup() as group:
            silence = group.create_task(self._break_silence())
            await self._queue.work(self.publish_ends, stop, workers=WORKERS)
            silence.cancel()

    async def publish_ends(self, conversation: Conversation) -> None:
        """Publish every end that is due in *conversation*, up to the first that is not.

        Raises:
            TransientError: A part of the system is away; what was done is noted.
        """
        self._silence_ends.pop(conversation, None)
        while unfinished := await self._store.open_messages(conversation, limit=PAGE):
            for message in unfinished:
                ended = message if message.end else await self._finish(message)
                if ended is None:
                    return
                await self._publish(ended)

    async def _finish(self, message: Message) -> Message | None:
        """Note the end of *message* and return it with its end; None while it has none."""
        end = await (self._end_of_run(message) if message.run_uid else self._end_of_lost(message))
        return None if end is None else await self._store.finish(message.key, end)

    async def _end_of_run(self, message: Message) -> End | None:
        run = await self._cluster.run(message.namespace, message.run_name, message.run_uid)
        now = self._clock()
        if run is None:
            return failed_end(message, Reason.CANCELLED, now=now)
        end = await self._replies.end(message, run, now=now)
        return end or await self._end_of_silence(message, run, now)

    async def _end_of_lost(self, message: Message) -> End | None:
        """Return the end of a message without a run that INBOX will never bring again.

        Until it is settled there, its run is being made, or it comes again. It is
        settled without a run only if somebody purged the stream, or it grew too old.
        """
        now = self._clock()
        if now - message.recorded_at < LOST_AFTER:
            return None
        state = await self._bus.state(INBOX_CONSUMER)
        if message.sequence > state.acknowledged:
            return None
        # Read again: what was settled meanwhile has its run by now.
        first = await self._store.open_messages(message.conversation, limit=1)
        return failed_end(message, Reason.INTERNAL, now=now) if message in first else None

    async def _end_of_silence(self, message: Message, run: Object, now: datetime) -> End | None:
        previous = await self._store.last_end(message.conversation, message.sequence)
        due = silence_ends_at(run, previous)
        if now < due:
            self._silence_ends[message.conversation] = due
            return None
        return failed_end(message, Reason.DEADLINE_EXCEEDED, now=now)

    async def _publish(self, message: Message) -> None:
        id_, shown = outbound_end(message)
        sequence = await self._published.sequence(message, now=self._clock())
        if not sequence:
            subject = outbox(message.namespace, message.channel)
            data = wrap(shown, id=id_, time=self._clock())
            sequence = (await self._bus.publish(subject, data, message_id=id_)).sequence
        await self._store.published(message.key, sequence)
        log.info(
            "message answered",
            extra={
                "action": "publish",
                "kind": shown.kind.value,
                "run": message.run_name,
                "reason": shown.error.code if shown.error else "",
                "sequence": message.sequence,
            },
        )

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
        if source and self._is_caught_up and (new is None or is_terminal(new)):
            conversation = ConversationId(source.get("conversation", ""))
            self.look_at(Conversation(key[0], source.get("channel", ""), conversation))
