"""Whatever happens twice, late, half or in two routers: one end for each message, in order."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sympozium.bus.nats import NatsBus
from sympozium.contract.agentrun import TERMINAL_PHASES
from sympozium.contract.messages import InboundMessage, OutboundKind
from sympozium.contract.names import ConversationId, run_name, web_message_id
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium.kube.errors import NotFoundError
from sympozium.store.ports import Conversation
from sympozium.store.sql import open_store
from sympozium_router.clock import utc_now
from sympozium_router.inbox.letters import Letter
from sympozium_router.world.cluster import Cluster
from tests.router.routed import ADA, CHANNEL, NAMESPACE, Parts, World, a_world, parts_of

MESSAGES = (0, 1, 2)
STEPS = ("give", "publish", "answer", "prune", "crash in give", "crash in publish")
MODES = ("queue", "collect", "steer", "interrupt")

_examples = itertools.count()

steps = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.integers(0, 1),
        st.sampled_from(MESSAGES),
        st.integers(0, 30),
    ),
    max_size=25,
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

    async def step(self, kind: str, router: int, message: int, half_ms: int = 0) -> None:
        parts = self._routers[router]
        if kind.endswith("give"):
            for earlier in range(message):  # the intake sees to that
                if earlier not in self._given:
                    await self._give(parts, earlier)
            if kind == "give":
                await self._give(parts, message)
            else:
                await crash(self._give(parts, message), after_s=half_ms / 2000)
        elif kind == "publish":
            await parts.outbox.publish_ends(self._conversation)
        elif kind == "crash in publish":
            await crash(parts.outbox.publish_ends(self._conversation), after_s=half_ms / 2000)
        elif kind == "answer" and message in self._given:
            await self._answer(message)
        elif kind == "prune" and self._world.shown.ends(self.ids[message]):
            await self._prune(message)

    @property
    def _conversation(self) -> Conversation:
        return Conversation(NAMESPACE, CHANNEL, self._talk)

    async def come_to_an_end(self) -> None:
        """Give, answer and publish until every message has an end, then all of it again."""
        for message in MESSAGES:
            await self.step("give", 0, message)
        while not all(self._world.shown.ends(id_) for id_ in self.ids):
            for message in MESSAGES:
                await self.step("answer", 0, message)
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
        inbound = InboundMessage(
            message_id=self.ids[message],
            conversation=self._talk,
            sender=ADA,
            text=f"question {message}",
            time=utc_now(),
        )
        await parts.reception.give(Letter(message + 1, NAMESPACE, CHANNEL, inbound), inbound)
        self._given.add(message)

    async def _answer(self, message: int) -> None:
        """Be the controller for the run of a message, if it has one: it takes in every other."""
        try:
            run = await self._run(message)
        except NotFoundError:
            return  # pruned, or it has none
        if run.get("status", {}).get("phase") in TERMINAL_PHASES:
            return
        if run["spec"].get("cancel"):
            await self._world.end_run(run, phase="Cancelled", error={"reason": "Cancelled"})
            return
        open_ = await self._world.store.open_messages(self._conversation, limit=9)
        offered = [one.id for one in open_ if one.offered_to == self.ids[message]]
        await self._world.end_run(run, result=f"answer {message}", absorbed=offered[::2])

    async def _prune(self, message: int) -> None:
        try:
            run = await self._run(message)
            self._made.add(run["metadata"]["uid"])
            await self._world.kube.delete(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
        except NotFoundError:
            return  # pruned before

    async def _run(self, message: int) -> Object:
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


async def crash(work: Coroutine[Any, Any, None], *, after_s: float) -> None:
    """Do *work* until it is cut off, wherever it is then."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        await asyncio.sleep(after_s)
        task.cancel()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", MODES)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps)
async def test_any_order_and_repetition_gives_every_message_one_end(
    tmp_path: Path, bus: NatsBus, steps: list[tuple[str, int, int, int]], mode: str
) -> None:
    folder = folder_of_its_own(tmp_path)
    async with a_world(folder, bus) as world:
        await world.set_channel(mode=mode)
        async with two_routers(world) as routers:
            play = Play(world, routers)
            for step in steps:
                await play.step(*step)
            await play.come_to_an_end()
            made = await play.runs_made()
    shown = [one for one in world.shown.messages if one.message_id in play.ids]
    ends = [one for one in shown if one.kind is not OutboundKind.ACCEPTED]
    assert [one.message_id for one in ends] == play.ids
    assert made <= len(MESSAGES)
    for number, end in enumerate(ends):
        accepted = len(world.shown.of(end.message_id)) - 1
        if end.kind is OutboundKind.FINAL:
            assert (end.text, accepted) == (f"answer {number}", 1)
        elif end.kind is OutboundKind.JOINED:
            assert (end.answered_with in play.ids[:number], accepted) == (True, 0)
        else:
            assert end.error is not None
            assert (mode, end.error.code) == ("interrupt", "Interrupted")
    if mode == "queue":
        assert made == len(MESSAGES)
        assert [end.kind for end in ends] == [OutboundKind.FINAL] * len(MESSAGES)
