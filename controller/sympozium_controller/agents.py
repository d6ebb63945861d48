"""Keeping an Agent's own Channels, and saying whether the Agent is ready."""

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from sympozium.contract.agent import AgentSpec
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import AGENTS, CHANNELS, SECRETS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import InvalidError, NotFoundError
from sympozium.kube.informer import Key
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.kube.tenants import TenantInformer
from sympozium_controller.channels.shorthand import shorthand_channels
from sympozium_controller.conditions import Verdict, write_condition
from sympozium_controller.furniture import FIELD_MANAGER, Furniture
from sympozium_controller.reminders import Reminders
from sympozium_controller.runs.view import controller_uid, is_finished_run

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 10.0
"""How often a Secret that an Agent names, and that is missing, is looked for."""

_TELLING = {Reason.CONFIGURATION.value, Reason.MODEL_REFUSED.value}
"""Ends of a run after which its Agent's Secrets are looked at again.

That a Secret is deleted is told to nobody who may not watch them all. The next run meets it.
"""


@dataclass(frozen=True)
class AgentCopies:
    """What is known of Agents, of their Channels and of how their runs end."""

    agents: TenantInformer
    channels: TenantInformer
    runs: TenantInformer


class AgentReconciler:
    """Makes what an Agent's shorthand stands for, and writes its Ready condition."""

    def __init__(self, kube: Kube, copies: AgentCopies, furniture: Furniture) -> None:
        self._kube = kube
        self._agents, self._channels = copies.agents, copies.channels
        self._furniture = furniture
        self._queue: WorkQueue[Key] = WorkQueue(QueueName.AGENTS)
        self._reminders = Reminders(self._queue)
        copies.agents.listen(lambda key, _old, _new: self._queue.add(key))
        copies.channels.listen(self._channel_changed)
        copies.runs.listen(self._run_changed)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile what changes until *stop* is set. The copies must be complete."""
        await self._queue.work(self.reconcile, stop, workers=4)

    async def reconcile(self, key: Key) -> None:
        """Do everything there is to do now about one Agent."""
        agent = self._agents.get(*key)
        if agent is None or "deletionTimestamp" in agent["metadata"]:
            return  # the garbage collector takes its Channels
        await self._furniture.ensure(key[0])
        spec = msgspec.convert(agent["spec"], AgentSpec)
        try:
            await self._apply_channels(agent, spec)
        except InvalidError as error:
            verdict = Verdict("Ready", False, "ChannelRefused", str(error))
        else:
            verdict = await self._verdict(key[0], spec)
        if not verdict.is_true:
            self._reminders.remind(key, LOOK_AGAIN_S)
        await write_condition(self._kube, AGENTS, self._agents, agent, verdict)

    async def _apply_channels(self, agent: Object, spec: AgentSpec) -> None:
        wanted = {one["metadata"]["name"]: one for one in shorthand_channels(agent, spec)}
        namespace, uid = agent["metadata"]["namespace"], agent["metadata"]["uid"]
        for name, channel in wanted.items():
            held = self._channels.get(namespace, name)
            if held is None or controller_uid(held) != uid:
                applied = await self._kube.apply(CHANNELS, channel, manager=FIELD_MANAGER)
                self._channels.remember(applied)
        for held in list(self._channels.all()):
            metadata = held["metadata"]
            if controller_uid(held) == uid and metadata["name"] not in wanted:
                await self._delete_channel(metadata)

    async def _delete_channel(self, metadata: Object) -> None:
        try:
            await self._kube.delete(
                CHANNELS, metadata["namespace"], metadata["name"], uid=metadata["uid"]
            )
        except NotFoundError:
            return

    async def _verdict(self, namespace: str, spec: AgentSpec) -> Verdict:
        for secret in dict.fromkeys(ref.secret for ref in spec.auth_refs):
            try:
                await self._kube.get(SECRETS, namespace, secret)
            except NotFoundError:
                text = f"Secret {secret!r}, named by authRefs, does not exist"
                return Verdict("Ready", False, "SecretNotFound", text)
        return Verdict("Ready", True, "Ready")

    def _channel_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        if new is None and old is not None:
            owners = old["metadata"].get("ownerReferences") or []
            for owner in owners:
                if owner["kind"] == AGENTS.kind:
                    self._queue.add((key[0], owner["name"]))

    def _run_changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        """Look at an Agent again when a run of it ends for what may be a Secret that is gone."""
        if new is None or not is_finished_run(new) or (old is not None and is_finished_run(old)):
            return
        error = new["status"].get("error") or {}
        agent = (key[0], new["spec"].get("agentRef", ""))
        if error.get("reason") in _TELLING and self._agents.get(*agent) is not None:
            self._queue.add(agent)
