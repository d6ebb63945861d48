"""Finished runs are deleted, and nobody loses an answer or gets two for it."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, closing
from datetime import timedelta

import pytest

from sympozium.bus.ports import NoAnswerError
from sympozium.contract.errors import TransientError
from sympozium.contract.names import ConversationId
from sympozium.contract.resources import AGENT_RUNS, AGENTS, API_VERSION, Object
from sympozium.kube.errors import InvalidError
from sympozium.store.ports import Conversation
from sympozium.store.sql import open_store
from sympozium_controller.runs import retention as module
from sympozium_controller.runs.history import HistoryLimits
from sympozium_router.desk.waiting import Waiting
from tests.retention.deleting import HELPER, names, retention
from tests.router.routed import CHANNEL, NAMESPACE, World, agent, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
MONTH = timedelta(days=30)
CONVERSATION = Conversation(NAMESPACE, CHANNEL, ConversationId("c"))


def by_hand(name: str, **spec: object) -> Object:
    """Return a run that somebody makes with kubectl: it answers no message."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRun",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"agentRef": "helper", "task": "t", **spec},
    }


async def test_a_message_that_comes_again_after_its_run_was_deleted_starts_no_second_one(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        asked = await world.say("1", "what is it?")
        await world.answer(asked, "it is this")
        await world.shown.end_of(asked)
        await until_told(world)
        async with retention(world, later=MONTH) as deleting:
            await deleting.prune(HELPER)
        assert await names(world) == set()
        # The bus has forgotten the id by now, as it does after its window.
        await world.say("1", "what is it?", nats_id="the window has passed")
        after = await world.say("2", "and then?")
        await world.answer(after, "then that")
        await world.shown.end_of(after)
        assert await names(world) == {(await world.run_of(after))["metadata"]["name"]}
        assert len(world.shown.ends(asked)) == 1
        said = [entry.text for entry in await world.transcript()]
        assert said == ["what is it?", "it is this", "and then?", "then that"]


async def test_without_a_router_no_run_that_answers_a_message_is_deleted(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        async with world.router():
            asked = await world.say("1")
            run = await world.run_of(asked)
            await world.shown.accepted(asked)
        await world.end_run(run, result="it is this")
        async with retention(world, later=MONTH) as deleting:
            with pytest.raises(NoAnswerError):
                await deleting.prune(HELPER)
            assert await names(world) == {run["metadata"]["name"]}
            async with world.router():
                assert (await world.shown.end_of(asked)).text == "it is this"
                await until_told(world)
                await deleting.prune(HELPER)
        assert await names(world) == set()


async def test_a_run_stays_until_its_answer_is_published_and_hides_no_other(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 1)
    async with open_world() as world:
        async with world.router():
            asked = await world.say("1")
            run = await world.run_of(asked)
            await world.shown.accepted(asked)
        await world.end_run(run, result="it is this", finishedAt="2020-01-01T00:00:00Z")
        await world.end_run(await world.kube.create(AGENT_RUNS, by_hand("by-hand")))
        router = Waiting(world.bus, world.bus, world.store)
        async with router.responding(), retention(world, later=MONTH) as deleting:
            await deleting.prune(HELPER)
        assert await names(world) == {run["metadata"]["name"]}


async def test_a_store_that_is_away_deletes_nothing(open_world: OpenWorld) -> None:
    async with open_world() as world:
        async with world.router():
            asked = await world.say("1")
            await world.answer(asked, "it is this")
            await world.shown.end_of(asked)
        async with open_store(world.store_url) as store:
            router = Waiting(world.bus, world.bus, store)
            async with router.responding(), retention(world, later=MONTH) as deleting:
                drop_tables(world.store_url)
                with pytest.raises(TransientError, match="ask again"):
                    await deleting.prune(HELPER)
        assert len(await names(world)) == 1


def drop_tables(store_url: str) -> None:
    """Have every read of a store fail."""
    with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as database:
        database.execute("DROP TABLE messages")


async def test_an_agent_says_how_many_of_its_runs_are_kept(open_world: OpenWorld) -> None:
    async with open_world() as world:
        for number in range(6):
            run = await world.kube.create(AGENT_RUNS, by_hand(f"run-{number}"))
            phase = "Succeeded" if number % 2 else "Failed"
            moment = f"2030-01-01T00:00:0{number}Z"
            await world.end_run(run, phase=phase, finishedAt=moment)
        await world.kube.create(AGENT_RUNS, by_hand("at-work"))
        limits = {"successfulRunsHistoryLimit": 1, "failedRunsHistoryLimit": 2}
        await world.kube.patch(AGENTS, *HELPER, {"spec": limits})
        long_ago = HistoryLimits(age=timedelta(days=36500))
        async with retention(world, later=timedelta(days=20000), limits=long_ago) as deleting:
            await deleting.prune(HELPER)
        assert await names(world) == {"run-5", "run-2", "run-4", "at-work"}


@pytest.mark.timeout(60)
async def test_the_loop_deletes_what_is_due_and_what_becomes_due(open_world: OpenWorld) -> None:
    async with open_world() as world:
        for number in range(3):
            run = by_hand(f"run-{number}", ttlSecondsAfterFinished=0)
            await world.end_run(await world.kube.create(AGENT_RUNS, run))
        stop = asyncio.Event()
        async with retention(world) as deleting, asyncio.TaskGroup() as group:
            group.create_task(deleting.run(stop))
            await until_none(world)
            run = by_hand("later", ttlSecondsAfterFinished=1)
            await world.end_run(await world.kube.create(AGENT_RUNS, run))
            await until_none(world)
            stop.set()


@pytest.mark.parametrize("limit", [-1, 100_001, "many"])
async def test_a_limit_that_is_none_is_refused_by_the_api_server(
    open_world: OpenWorld, limit: object
) -> None:
    async with open_world() as world:
        wrong = agent("wrong")
        wrong["spec"]["failedRunsHistoryLimit"] = limit
        with pytest.raises(InvalidError, match="failedRunsHistoryLimit"):
            await world.kube.create(AGENTS, wrong)
        with pytest.raises(InvalidError, match="ttlSecondsAfterFinished"):
            await world.kube.create(AGENT_RUNS, by_hand("wrong", ttlSecondsAfterFinished=-1))


async def until_told(world: World) -> None:
    """Return when nobody waits any more."""

    async def nobody() -> bool:
        return not await world.store.open_messages(CONVERSATION, limit=1)

    await until(nobody)


async def until_none(world: World) -> None:
    """Return when no run is there."""

    async def none() -> bool:
        return not await names(world)

    await until(none)
