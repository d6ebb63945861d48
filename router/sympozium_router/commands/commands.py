"""Answering what people ask the system: from the store alone, with no model.

The answer, and what the command changes, are stored in one transaction: a command that
comes again, at any moment, has its effect once and the same answer.
"""

import logging
from dataclasses import replace

from sympozium.chat.routing import agent_for
from sympozium.contract.channel import ChannelSpec
from sympozium.contract.messages import Command
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium.store.ports import End, Message, Scene, SessionStore, Verdict
from sympozium_router.clock import Clock
from sympozium_router.commands.answers import Asked, answer
from sympozium_router.inbox.choosing import agents_of
from sympozium_router.world.cluster import Cluster

log = logging.getLogger(__name__)

_HELP = Command(name="help")


class Commands:
    """Carries commands out, as far as that is noting it, and answers them."""

    def __init__(self, store: SessionStore, cluster: Cluster, clock: Clock) -> None:
        self._store = store
        self._cluster = cluster
        self._clock = clock

    async def answer(self, row: Message, spec: ChannelSpec) -> Message:
        """Store the command *row* with its answer and what it changes; return what is stored.

        Raises:
            TransientError: A part of the system is away; the same call goes on later.
        """
        asked = await self._asked(row, spec)

        def decide(scene: Scene) -> Verdict:
            said = answer(asked, scene)
            end = End(
                time=asked.now,
                text=said.text,
                choices=said.choices,
                is_private=said.is_private,
                is_notice=True,
            )
            return Verdict(replace(row, end=end), changed=said.changed, talk=said.talk)

        stored = await self._store.record(row, decide)
        reach(Point.ROUTER_AFTER_COMMAND)
        log.info(
            "command answered",
            extra={"action": "command", "command": asked.command.name, "sequence": row.sequence},
        )
        return stored

    async def _asked(self, row: Message, spec: ChannelSpec) -> Asked:
        inbound = row.inbound
        talk = await self._store.talk(row.conversation)
        by_rule = agent_for(inbound.place, inbound.sender, spec.routes, spec.agent_ref)
        answering = talk.agent if talk.agent in agents_of(spec) else by_rule
        return Asked(
            command=inbound.command or _HELP,
            sequence=row.sequence,
            agents=[name for name in agents_of(spec) if await self._exists(row.namespace, name)],
            models=spec.models,
            by_rule=by_rule,
            own_model=await self._model_of(row.namespace, answering),
            usage=await self._store.usage(row.conversation, since=talk.since),
            now=self._clock(),
        )

    async def _exists(self, namespace: str, agent: str) -> bool:
        return await self._cluster.agent(namespace, agent) is not None

    async def _model_of(self, namespace: str, agent: str) -> str:
        found = await self._cluster.agent(namespace, agent)
        config = (found or {}).get("spec", {}).get("agents", {}).get("default", {})
        return str(config.get("model", ""))
