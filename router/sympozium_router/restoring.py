"""What a router does after somebody restored an older session store, or an older bus.

Both are looked at once, at a start. A store that is older than the objects of the
cluster does not know messages whose runs exist: they are taken from INBOX again, so
that their senders get the answers, each from the run that there is. A bus that is
older than the store has lost ends that were published: they are published again, and
a channel that had shown one shows it no second time.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import nats.errors

from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.errors import TransientError
from sympozium.contract.messages import InboundMessage
from sympozium.contract.names import MessageId
from sympozium.contract.resources import Object
from sympozium.contract.subjects import INBOX, OUTBOX
from sympozium.runtime.loops import until_there
from sympozium.store.ports import MessageKey, SessionStore
from sympozium_router.inbox.letters import Letter, read_letter
from sympozium_router.outbox.published import Published
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

RETRY_S = 0.5
ANSWER_TIMEOUT_S = 2.0

Give = Callable[[Letter, InboundMessage], Awaitable[None]]


@dataclass(frozen=True)
class _Orphan:
    """A run of whose message the store may know nothing."""

    key: MessageKey
    sequence: int


class Restoring:
    """Compares store, bus and cluster with one another, once."""

    def __init__(self, bus: NatsBus, store: SessionStore, cluster: Cluster, give: Give) -> None:
        self._bus = bus
        self._store = store
        self._cluster = cluster
        self._give = give
        self._published = Published(bus)

    async def reopen_ends(self) -> None:
        """Have ends that OUTBOX has lost be published again. Returns once that is noted."""
        await until_there(self._reopen, retry_s=RETRY_S, told=_say_that_it_waits)

    async def adopt_runs(self) -> None:
        """Take in the messages of runs that the store does not know. Returns when it has."""
        await until_there(self._adopt, retry_s=RETRY_S, told=_say_that_it_waits)

    async def _reopen(self) -> None:
        last = await self._last_of_outbox()
        count = await self._store.reopen(published_after=last)
        if count:
            extra = {"action": "publish", "count": count, "sequence": last}
            log.warning("the bus is older than the store: ends are published again", extra=extra)

    async def _last_of_outbox(self) -> int:
        try:
            stream = self._bus.client.jetstream(timeout=ANSWER_TIMEOUT_S)
            info = await stream.stream_info(OUTBOX)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            cause = type(error).__name__
            raise BusUnavailableError(f"cannot ask how far OUTBOX is: {cause}") from error
        heed_cancellation()
        return int(info.state.last_seq)

    async def _adopt(self) -> None:
        orphans = [one for run in self._cluster.runs() if (one := _orphan(run)) is not None]
        if not orphans:
            return
        sequences = [one.sequence for one in orphans]
        handled = await self._store.handled(min(sequences), max(sequences))
        for one in orphans:
            if one.sequence not in handled and await self._store.known(one.key) is None:
                await self._take_in(one)

    async def _take_in(self, orphan: _Orphan) -> None:
        extra = {"action": "adopt", "channel": orphan.key.channel, "sequence": orphan.sequence}
        if await self._published.holds(orphan.key):
            log.warning("the store has lost a message that was answered", extra=extra)
            return
        stored = await self._bus.at(INBOX, orphan.sequence)
        letter = read_letter(stored.subject, stored.sequence, stored.data) if stored else None
        inbound = letter.inbound if letter else None
        if letter is None or inbound is None or _key(letter, inbound) != orphan.key:
            log.error("a message is lost: neither store nor INBOX has it", extra=extra)
            return
        log.warning("the store has lost a message: it is taken in again", extra=extra)
        await self._give(letter, inbound)


def _say_that_it_waits(error: TransientError) -> None:
    cause = {"action": "retry", "cause": str(error)}
    log.warning("store and bus not compared yet", extra=cause)


def _key(letter: Letter, inbound: InboundMessage) -> MessageKey:
    return MessageKey(letter.namespace, letter.channel, inbound.message_id)


def _orphan(run: Object) -> _Orphan | None:
    source = run["spec"].get("source") or {}
    sequence = source.get("sequence")
    if not isinstance(sequence, int) or not source.get("messageId"):
        return None
    namespace = run["metadata"]["namespace"]
    key = MessageKey(namespace, source.get("channel", ""), MessageId(source["messageId"]))
    return _Orphan(key, sequence)
