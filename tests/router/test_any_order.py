"""Whatever happens twice, late or in two routers: one run and one reply for each message."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sympozium.bus.nats import NatsBus
from sympozium.contract.messages import InboundMessage, OutboundKind
from sympozium.contract.names import ConversationId, run_name, web_message_id
from sympozium.contract.resources import AGENT_RUNS
from sympozium.kube.errors import NotFoundError
from sympozium.store.ports import Conversation
from sympozium.store.sql import open_store
from sympozium_router.clock import utc_now
from sympozium_router.cluster import Cluster
from sympozium_router.letters import Letter
from tests.router.routed import ADA, CHANNEL, NAMESPACE, Parts, World, a_world, parts_of

MESSAGES = (0, 1, 2)
STEPS = ("give", "publish", "answer", "prune")

_examples = itertools.count()

steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.sampled_from(MESSAGES)), max_size=25
)


class Play:
    """One conversation of three messages, between two routers that share a store."""

    def __init__(self, world: World, routers: list[Parts]) -> None:
        self._world = world
        self._routers = routers
        self._talk = ConversationId(f"talk-{next(_examples)}")
        self._given: set[int] = set()
        self._made: set[str] = set()
        self.ids = [web_message_id(NAMESPACE, CHANNEL, self._talk, str(n)) for n in MESSAGES]

    async def step(self, kind: str, router: int, message: int) -> None:
        parts = self._routers[router]
        if kind == "give":
            for earlier in range(message + 1):  # the intake sees to that
                if earlier not in self._given or earlier == message:
                    await self._give(parts, earlier)
        elif kind == "publish":
            await parts.outbox.publish_ends(Conversation(NAMESPACE, CHANNEL, self._talk))
        elif kind == "answer" and message in self._given:
            await self._answer(message)
        elif kind == "prune" and self._world.shown.ends(self.ids[message]):
            await self._prune(message)

    async def come_to_an_end(self) -> None:
        """Give, answer and publish until every message has an end, then all of it again."""
        for message in MESSAGES:
            await self.step("give", 0, message)
            await self.step("answer", 0, message)
        while not all(self._world.shown.ends(id_) for id_ in self.ids):
            await self.step("publish", 0, 0)
        for router, message in itertools.product((0, 1), MESSAGES):
            await self.step("give", router, message)
            await self.step("publish", router, message)

    async def runs_made(self) -> int:
        """Return how many runs there ever were, the pruned ones included."""
        for run in (await self._world.kube.list(AGENT_RUNS, NAMESPACE)).items:
            if run["spec"]["source"]["conversation"] == self._talk:
                self._made.add(run["metadata"]["uid"])
        return len(self._made)

    async def _give(self, parts: Parts, message: int) -> None:
        self._given.add(message)
        inbound = InboundMessage(
            message_id=self.ids[message],
            conversation=self._talk,
            sender=ADA,
            text=f"question {message}",
            time=utc_now(),
        )
        await parts.reception.give(Letter(message + 1, NAMESPACE, CHANNEL, inbound), inbound)

    async def _answer(self, message: int) -> None:
        try:
            run = await self._run(message)
            await self._world.end_run(run, result=f"answer {message}")
        except NotFoundError:
            return  # pruned

    async def _prune(self, message: int) -> None:
        try:
            run = await self._run(message)
            self._made.add(run["metadata"]["uid"])
            await self._world.kube.delete(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
        except NotFoundError:
            return  # pruned before

    async def _run(self, message: int) -> dict[str, dict[str, str]]:
        name = run_name(CHANNEL, self.ids[message])
        return await self._world.kube.get(AGENT_RUNS, NAMESPACE, name)


@asynccontextmanager
async def two_routers(world: World) -> AsyncIterator[list[Parts]]:
    """Yield what two routers work with; who works when is up to the test."""
    stop = asyncio.Event()
    routers = []
    async with open_store(world.store_url) as other, asyncio.TaskGroup() as group:
        for store in (world.store, other):
            cluster = Cluster(world.kube)
            group.create_task(cluster.follow(stop))
            routers.append(parts_of(world, cluster, store=store))
            await cluster.wait_until_synced()
        yield routers
        stop.set()


def folder_of_its_own(tmp_path: Path) -> Path:
    folder = tmp_path / str(next(_examples))
    folder.mkdir()
    return folder


@pytest.mark.timeout(60)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
async def test_any_order_and_repetition_gives_one_run_and_one_reply_each(
    tmp_path: Path, bus: NatsBus, steps: list[tuple[str, int, int]]
) -> None:
    folder = folder_of_its_own(tmp_path)
    async with a_world(folder, bus) as world, two_routers(world) as routers:
        play = Play(world, routers)
        for step in steps:
            await play.step(*step)
        await play.come_to_an_end()
        made = await play.runs_made()
    assert made == len(MESSAGES)
    for id_ in play.ids:
        kinds = [shown.kind for shown in world.shown.of(id_)]
        assert kinds == [OutboundKind.ACCEPTED, OutboundKind.FINAL]
    shown = [one for one in world.shown.messages if one.message_id in play.ids]
    finals = [one.text for one in shown if one.kind is OutboundKind.FINAL]
    assert finals == [f"answer {n}" for n in MESSAGES]
