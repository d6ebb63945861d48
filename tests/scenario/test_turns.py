"""Runs that wait for their turn: seen by who asked, and not lost with the controller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sympozium.contract.resources import AGENTS, CHANNELS, Object
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel, System

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def one_at_a_time(kube: Kube) -> AsyncIterator[None]:
    """Have the Agent work on one message at a time while the block lasts."""
    agent = (await kube.get(CHANNELS, "default", "web"))["spec"]["agentRef"]
    wanted = await kube.patch(AGENTS, "default", agent, {"spec": {"maxConcurrent": 1}})
    await until_heeded(kube, wanted)
    try:
        yield
    finally:
        await kube.patch(AGENTS, "default", agent, {"spec": {"maxConcurrent": None}})


async def until_heeded(kube: Kube, wanted: Object) -> None:
    """Return when the controller has seen an Agent as it is wanted."""
    metadata = wanted["metadata"]
    async with asyncio.timeout(30):
        while True:
            agent = await kube.get(AGENTS, metadata["namespace"], metadata["name"])
            if agent.get("status", {}).get("observedGeneration", 0) >= metadata["generation"]:
                return
            await asyncio.sleep(0.05)


async def told_to_wait(person: Person, conversation: str, text: str) -> tuple[str, object, object]:
    """Ask; return the message's id and the first that is said of its waiting."""
    async with person.events(conversation) as events:
        message_id = await person.say(conversation, text)
        async for event in events:
            if event.type == "waiting" and event.data["message_id"] == message_id:
                return message_id, event.data["before"], event.data["for_capacity"]
    raise AssertionError("the stream ended")


async def test_who_waits_for_a_turn_is_told_and_a_killed_controller_forgets_nobody(
    person: Person, model: ScriptedModel, system: System, kube: Kube
) -> None:
    await model.script({"match": "slowly", "answer": "one two three four five six", "delay_s": 1.0})
    conversations = [f"turn-{number}" for number in range(5)]
    async with one_at_a_time(kube):
        first = await person.say(conversations[0], "slowly, please")
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            waiting = [
                group.create_task(told_to_wait(person, conversation, "hello"))
                for conversation in conversations[1:]
            ]
        told = [one.result() for one in waiting]
        assert all(for_capacity for _, _, for_capacity in told)
        system.kill("controller")
        ids = [first, *(message_id for message_id, _, _ in told)]
        async with asyncio.timeout(90):
            for conversation, message_id in zip(conversations, ids, strict=True):
                await person.end_of(conversation, message_id)
    for conversation, message_id in zip(conversations, ids, strict=True):
        (reply,) = replies_to(await person.transcript(conversation), message_id)
        assert reply["error"] is None


async def test_who_waits_behind_an_own_message_is_told_how_many_come_first(
    person: Person, model: ScriptedModel
) -> None:
    await model.script({"match": "slowly", "answer": "one two three four", "delay_s": 0.8})
    first = await person.say("turn-own", "slowly, please")
    second, before, for_capacity = await told_to_wait(person, "turn-own", "hello")
    assert (before, for_capacity) == (1, False)
    for message_id in (first, second):
        assert (await person.end_of("turn-own", message_id))["error"] is None
