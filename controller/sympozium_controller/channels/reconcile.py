"""Keeping a Deployment, an identity and an OUTBOX consumer for every Channel.

The queue knows a Channel by its key, also one that was deleted: see `draining`.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

import msgspec

from sympozium.bus.admin import channel_consumers, ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.contract.channel import CONNECTED, ChannelSpec
from sympozium.contract.errors import TransientError
from sympozium.contract.names import is_subject_token
from sympozium.contract.ready import with_ready
from sympozium.contract.resources import (
    CHANNEL_LABEL,
    CHANNELS,
    COMPONENT_LABEL,
    DEPLOYMENTS,
    SERVICES,
    Object,
)
from sympozium.contract.subjects import CHANNEL_CONSUMER_PREFIX, outbox_consumer
from sympozium.contract.times import kube_time
from sympozium.kube.client import Kube
from sympozium.kube.errors import InvalidError, NotFoundError
from sympozium.kube.informer import Key
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.kube.tenants import TenantInformer, Tenants
from sympozium_controller.channels.deployment import (
    build_deployment,
    build_surroundings,
    channel_object_name,
    is_as_wanted,
    secret_version_of,
)
from sympozium_controller.channels.draining import Draining
from sympozium_controller.channels.network import service_name
from sympozium_controller.channels.tokens import look_at_secret, secret_of
from sympozium_controller.conditions import Verdict, write_condition
from sympozium_controller.furniture import FIELD_MANAGER, Furniture
from sympozium_controller.reminders import Reminders
from sympozium_controller.settings import PodSettings

log = logging.getLogger(__name__)

_OURS = f"{COMPONENT_LABEL}=channel"

LOOK_AGAIN_S = 10.0
"""How soon the Secret of a channel that does not stand well is looked at again.

We may read a Secret by its name only; to be told of a change we would have to watch,
and so to read, everybody's. A channel that stands well needs no other tokens: what
replaces them before they are refused also touches the Channel.
"""


class ChannelCache:
    """Copies of all Channels of tenants, and of their Deployments."""

    def __init__(self, tenants: Tenants) -> None:
        self.tenants = tenants
        self.channels = tenants.informer(CHANNELS)
        self.deployments = tenants.informer(DEPLOYMENTS, labelSelector=_OURS)

    @property
    def informers(self) -> tuple[TenantInformer, ...]:
        """All of them, for whoever listens to them."""
        return self.channels, self.deployments


@dataclass(frozen=True)
class Furnishing:
    """What a channel's program needs around it, and how its pod is made."""

    furniture: Furniture
    settings: PodSettings


class ChannelReconciler:
    """Makes every Channel's program run, and lets it end its work when the Channel is gone."""

    def __init__(
        self,
        kube: Kube,
        bus: NatsBus,
        cache: ChannelCache,
        made_of: Furnishing,
        draining: Draining,
    ) -> None:
        self._kube = kube
        self._bus = bus
        self._cache = cache
        self._furniture, self._settings = made_of.furniture, made_of.settings
        self._draining = draining
        self._queue: WorkQueue[Key] = WorkQueue(QueueName.CHANNELS)
        self._reminders = Reminders(self._queue)
        self._with_consumer: dict[Key, int] = {}
        cache.channels.listen(lambda key, _old, _new: self._queue.add(key))
        cache.deployments.listen(self._deployment_changed)
        draining.wake(self._look_if_gone)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile what changes until *stop* is set. The copies must be complete."""
        try:
            await self._sweep()
        except TransientError as error:  # whoever leads next does it
            log.warning("readers not swept", extra={"action": "skip", "cause": str(error)})
        await self._queue.work(self.reconcile, stop, workers=4)

    async def reconcile(self, key: Key) -> None:
        """Do everything there is to do now about one Channel."""
        namespace, name = key
        channel = self._cache.channels.get(namespace, name)
        if channel is None:
            await self._remove(key)
        elif "deletionTimestamp" not in channel["metadata"]:
            verdict = await self._verdict(key, channel)
            await write_condition(
                self._kube,
                CHANNELS,
                self._cache.channels,
                channel,
                verdict,
                sum_up=lambda conditions: with_ready(conditions, now=kube_time(self._kube.now())),
            )

    async def _verdict(self, key: Key, channel: Object) -> Verdict:
        namespace, name = key
        if not is_subject_token(name):
            text = "only letters, digits and '-' may be in a Channel's name; make one named so"
            return Verdict("Available", False, "NameNotAllowed", text)
        await self._ensure_consumer(key, await self._furniture.ensure(namespace))
        spec = msgspec.convert(channel["spec"], ChannelSpec)
        secret = await look_at_secret(self._kube, namespace, spec)
        held = self._cache.deployments.get(namespace, channel_object_name(name))
        self._draining.forget(key)
        if held is not None:
            await self._draining.keep(held)
        # A bot at work keeps the tokens that it has while there are none to replace them.
        version = secret.version or secret_version_of(held)
        wanted = build_deployment(channel, spec, self._settings, secret_version=version)
        refused: Verdict | None = None
        if not is_as_wanted(held, wanted):
            try:
                held = await self._apply(channel, spec, wanted)
            except InvalidError as error:  # it says so until the Channel, or a rule, is another
                text = f"its Deployment is refused: {error}; change the Channel"
                refused = Verdict("Available", False, "NotAccepted", text)
        verdict = secret.problem or refused or availability(held or {})
        if secret_of(spec) and not (verdict.is_true and is_connected(channel)):
            self._reminders.remind(key, LOOK_AGAIN_S)
        return verdict

    async def _apply(self, channel: Object, spec: ChannelSpec, wanted: Object) -> Object:
        """Make a channel's Deployment be as it is *wanted*, and what is around it; return it.

        Raises:
            InvalidError: The API server's rules refuse it.
        """
        await self._surround(channel, spec)
        held = await self._kube.apply(DEPLOYMENTS, wanted, manager=FIELD_MANAGER)
        self._cache.deployments.remember(held)
        extra = {"action": "apply", "channel": channel["metadata"]["name"]}
        log.info("channel applied", extra=extra)
        return held

    async def _surround(self, channel: Object, spec: ChannelSpec) -> None:
        """Make what is around a channel's Deployment be there, and what is not wanted not."""
        around = build_surroundings(channel, spec, self._settings)
        for resource, obj in around:
            await self._kube.apply(resource, obj, manager=FIELD_MANAGER)
        metadata = channel["metadata"]
        if not any(resource is SERVICES for resource, _ in around):
            with contextlib.suppress(NotFoundError):
                name = service_name(metadata["name"])
                await self._kube.delete(SERVICES, metadata["namespace"], name)

    async def _ensure_consumer(self, key: Key, generation: int) -> None:
        if self._with_consumer.get(key) != generation:
            await ensure_consumer(self._bus.client, outbox_consumer(*key))
            self._with_consumer[key] = generation

    async def _remove(self, key: Key) -> None:
        self._with_consumer.pop(key, None)
        if not is_subject_token(key[1]) or not await self._is_gone(key):
            self._reminders.forget(key)
            self._draining.forget(key)
            return
        again_s = await self._draining.go_on(key)
        if again_s is None:
            self._reminders.forget(key)
        else:
            self._reminders.remind(key, again_s)

    def _look_if_gone(self, key: Key) -> None:
        has_program = self._cache.deployments.get(key[0], channel_object_name(key[1])) is not None
        if has_program and self._cache.channels.get(*key) is None:
            self._queue.add(key)

    async def _is_gone(self, key: Key) -> bool:
        """Return whether a Channel is gone for certain, and its namespace is still served.

        What was a tenant's is cleared as a whole, or goes as a whole. The bus has no fence
        for who led before and was stopped: it could take away the place of a Channel that
        was created anew.
        """
        tenants = self._cache.tenants
        if tenants.is_ending(key[0]) or not await tenants.is_tenant(key[0]):
            return False
        try:
            await self._kube.get(CHANNELS, *key)
        except NotFoundError:
            return True
        return False

    async def _sweep(self) -> None:
        """Find the places on the bus of Channels that were deleted while no controller ran.

        Of a namespace whose Channels are not known, none: it may be a tenant's all the same.
        """
        for consumer in await channel_consumers(self._bus.client):
            namespace, name = consumer.removeprefix(CHANNEL_CONSUMER_PREFIX).rsplit("_", 1)
            if self._cache.tenants.is_shown(namespace):
                self._queue.add((namespace, name))

    def _deployment_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        labels = (new or old or {})["metadata"].get("labels") or {}
        if CHANNEL_LABEL in labels:
            self._queue.add((key[0], labels[CHANNEL_LABEL]))


def is_connected(channel: Object) -> bool:
    """Return whether a channel does not say that its platform refuses it."""
    conditions = (channel.get("status") or {}).get("conditions") or []
    return not any(one["type"] == CONNECTED and one["status"] == "False" for one in conditions)


def availability(deployment: Object) -> Verdict:
    """Return what a Deployment's status says about its channel."""
    status = deployment.get("status") or {}
    generation = deployment.get("metadata", {}).get("generation", 1)
    if status.get("observedGeneration", 0) < generation:
        return Verdict("Available", False, "Starting", "its Deployment is being rolled out")
    if status.get("availableReplicas", 0) >= 1 and status.get("updatedReplicas", 0) >= 1:
        return Verdict("Available", True, "Running")
    failing = [one for one in status.get("conditions") or [] if one["type"] == "ReplicaFailure"]
    text = failing[0].get("message", "") if failing else "its pod is not ready"
    return Verdict("Available", False, "PodNotReady", text)
