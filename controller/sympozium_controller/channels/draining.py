"""What becomes of a deleted Channel's program: it shows what is owed, and then it goes.

Whoever has a message at work in that chat must not be met with silence, and nobody
waits for ever for a program that cannot start. So the program goes once every message
that was taken in has its end and that was shown, and at the latest `PATIENCE` after the
last of its runs ended. What was not shown by then is kept among the dead letters.

Nothing waits for a finalizer. What is left to do is told by what is still there: the
Deployment, which no Channel owns, and then the place on the bus.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sympozium.bus.admin import delete_consumer, is_behind
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Delivery
from sympozium.contract.envelope import unwrap
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.resources import (
    CHANNEL_LABEL,
    COMPONENT_LABEL,
    DEPLOYMENTS,
    GROUP,
    NETWORK_POLICIES,
    PODS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Object,
)
from sympozium.contract.subjects import outbox_consumer
from sympozium.contract.times import kube_time, read_kube_time
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from sympozium.kube.informer import Key
from sympozium.kube.tenants import TenantInformer
from sympozium_controller.channels.deployment import channel_object_name
from sympozium_controller.runs.view import is_finished_run
from sympozium_controller.runs.waiters import Waiters

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=2)
"""How long after the end of its last run a deleted channel may take to show what is left.

Platforms ask for pauses of half a minute; one that is away for longer has dead letters.
"""

PODS_PATIENCE_S = 60.0
"""How long the pod is waited for; a node that is lost holds up nothing longer."""

LOOK_EVERY_S = 1.0
LOOK_SELDOM_S = 10.0
"""How often a router is asked for ends that are still to come, when no program is left."""

BURY_FOR_S = 0.5
"""How long dead letters are made at a time: a controller that stops has to end its step soon."""

ASK_WITHIN_S = 1.0

DRAINING_ANNOTATION = f"{GROUP}/draining-since"
"""On the Deployment of a Channel that was deleted: since when it only shows what is owed."""

REASON = "its Channel was deleted, and it could not be shown in time"

_SHOWING_NOTHING = {OutboundKind.ACCEPTED, OutboundKind.DROPPED}


@dataclass(frozen=True)
class Around:
    """What tells of a channel that is gone: who works for it, and who waits at it."""

    deployments: TenantInformer
    runs: TenantInformer
    waiters: Waiters


class Draining:
    """Takes what is left of a deleted Channel away, a step at a time. Any step may come twice."""

    def __init__(self, kube: Kube, bus: NatsBus, around: Around) -> None:
        self._kube = kube
        self._bus = bus
        self._around = around
        self._stopped: dict[Key, float] = {}

    def wake(self, add: Callable[[Key], None]) -> None:
        """Have *add* called with the key of a channel whenever a run of it came to its end."""

        def run_changed(key: Key, _: Object | None, new: Object | None) -> None:
            if new is not None and is_finished_run(new) and (channel := _channel_of(new)):
                add((key[0], channel))

        self._around.runs.listen(run_changed)

    async def go_on(self, key: Key) -> float | None:
        """Do what is to be done now; return in how many seconds there is more, None: never.

        The Channel must be gone for certain.

        Raises:
            TransientError: The API server is away, or the bus when the program has gone.
        """
        held = self._around.deployments.get(key[0], channel_object_name(key[1]))
        if held is not None:
            self._stopped.pop(key, None)
            return await self._drain(key, held)
        if await self._has_pods(key):
            return LOOK_EVERY_S
        for resource in (SERVICES, NETWORK_POLICIES, SERVICE_ACCOUNTS):
            await self._kube.delete_all(resource, key[0], labelSelector=_selector(key))
        if await self._around.waiters.is_anyone_at(*key, within_s=ASK_WITHIN_S):
            return LOOK_SELDOM_S  # what is told later is not to be lost unseen
        if not await self._leave_bus(key):
            return LOOK_EVERY_S
        self.forget(key)
        log.info("channel removed", extra={"action": "delete", "channel": key[1]})
        return None

    def forget(self, key: Key) -> None:
        """Let go of a Channel that is there again, or whose namespace is not served."""
        self._stopped.pop(key, None)

    async def keep(self, held: Object) -> None:
        """Take the mark off the Deployment *held*, if it has one: its Channel is there again."""
        if draining_since(held) is not None:
            await self._mark(held, None)
            extra = {"action": "keep", "deployment": held["metadata"]["name"]}
            log.info("channel drains no more", extra=extra)

    async def _drain(self, key: Key, held: Object) -> float:
        """Have the program go when its time has come; return in how many seconds to look again."""
        since = draining_since(held)
        if since is None:
            since = self._kube.now()
            await self._mark(held, kube_time(since))
            log.info("channel drains", extra={"action": "drain", "channel": key[1]})
        runs = [run for run in self._around.runs.all() if _is_of(run, key)]
        if any(not is_finished_run(run) for run in runs):
            return LOOK_SELDOM_S  # and when it ends we are told
        if not await self._is_shown(key):
            if self._kube.now() < patience_ends(since, runs):
                return LOOK_EVERY_S
            extra = {"action": "give_up", "channel": key[1], "namespace": key[0]}
            log.warning("deleted channel goes before all was shown", extra=extra)
        await self._kube.delete_all(DEPLOYMENTS, key[0], labelSelector=_selector(key))
        return LOOK_EVERY_S

    async def _mark(self, held: Object, since: str | None) -> None:
        metadata = held["metadata"]
        patch = {"metadata": {"annotations": {DRAINING_ANNOTATION: since}}}
        with contextlib.suppress(NotFoundError):  # then its going is told of next
            self._around.deployments.remember(
                await self._kube.patch(DEPLOYMENTS, metadata["namespace"], metadata["name"], patch)
            )

    async def _is_shown(self, key: Key) -> bool:
        """Return whether all that was taken in was answered, and the answers shown."""
        try:
            if await self._around.waiters.is_anyone_at(*key, within_s=ASK_WITHIN_S):
                return False
            return not await is_behind(self._bus.client, outbox_consumer(*key))
        except TransientError as error:
            extra = {"action": "retry", "channel": key[1], "cause": str(error)}
            log.warning("cannot tell whether a deleted channel owes anything", extra=extra)
            return False

    async def _has_pods(self, key: Key) -> bool:
        """Return whether pods of the program are still to be waited for."""
        now = asyncio.get_running_loop().time()
        if now - self._stopped.setdefault(key, now) > PODS_PATIENCE_S:
            return False
        return bool((await self._kube.list(PODS, key[0], labelSelector=_selector(key))).items)

    async def _leave_bus(self, key: Key) -> bool:
        """Give up the place on the bus; return whether it is done.

        What nobody will show is kept among the dead letters before. What the program was
        given and did not settle comes a while later.
        """
        consumer = outbox_consumer(*key)
        if await is_behind(self._bus.client, consumer):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BURY_FOR_S), self._bus.consume(consumer) as deliveries:
                    await _bury(key, deliveries)
            if await is_behind(self._bus.client, consumer):
                return False
        await delete_consumer(self._bus.client, consumer)
        return True


def draining_since(deployment: Object) -> datetime | None:
    """Return since when a channel's Deployment only shows what is owed; None: it is in use."""
    annotations = deployment["metadata"].get("annotations") or {}
    return read_kube_time(annotations.get(DRAINING_ANNOTATION, ""))


def patience_ends(since: datetime, runs: Iterable[Object]) -> datetime:
    """Return when a channel that drains *since* goes, whatever it owes, given its ended *runs*."""
    ends = (read_kube_time((run.get("status") or {}).get("finishedAt") or "") for run in runs)
    return max([since, *filter(None, ends)]) + PATIENCE


async def _bury(key: Key, deliveries: AsyncIterator[Delivery]) -> None:
    async for delivery in deliveries:
        if _shows_nothing(delivery.data):
            await delivery.ack()
            continue
        await delivery.discard(reason=REASON)
        extra = {"action": "discard", "channel": key[1], "sequence": delivery.sequence}
        log.warning("end of a message not shown", extra=extra)


def _shows_nothing(data: bytes) -> bool:
    """Return whether *data* is no end that a person reads: one comes after it, or none."""
    try:
        return unwrap(data, OutboundMessage).kind in _SHOWING_NOTHING
    except PermanentError:
        return False


def _is_of(run: Object, key: Key) -> bool:
    return run["metadata"]["namespace"] == key[0] and _channel_of(run) == key[1]


def _channel_of(run: Object) -> str:
    """Return the channel whose message a run answers; empty: it answers none."""
    source = run["spec"].get("source") or run.get("asked") or {}
    return str(source.get("channel", ""))


def _selector(key: Key) -> str:
    return f"{COMPONENT_LABEL}=channel,{CHANNEL_LABEL}={key[1]}"
