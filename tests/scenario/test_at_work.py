"""What a person may do while an agent works, and files with its answer: through every real part."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.contract.resources import AGENT_RUNS, CHANNELS, Object
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person, ServerSentEvent
from tests.fixtures.system import ScriptedModel, System

ENDS = {"final", "error", "joined", "dropped"}
SLOW = {"match": "count", "answer": "one two three four five six", "delay_s": 0.5}


@pytest.fixture
async def steering(system: System, kube: Kube) -> AsyncIterator[None]:
    """A web channel that hands messages to the agent at work."""
    await kube.patch(CHANNELS, "default", "web", {"spec": {"mode": "steer"}})
    yield
    await kube.patch(CHANNELS, "default", "web", {"spec": {"mode": "queue"}})


async def until(events: AsyncIterator[ServerSentEvent], *types: str) -> ServerSentEvent:
    async with asyncio.timeout(30):
        async for event in events:
            if event.type in types:
                return event
    raise AssertionError("the stream ended")


async def runs_of(kube: Kube, conversation: str) -> list[Object]:
    runs = (await kube.list(AGENT_RUNS, "default")).items
    return [
        run for run in runs if (run["spec"].get("source") or {}).get("conversation") == conversation
    ]


@pytest.mark.timeout(90)
async def test_a_message_handed_to_the_agent_at_work_is_answered_by_it(
    person: Person, model: ScriptedModel, kube: Kube, steering: None
) -> None:
    await model.script(SLOW, {"match": "also", "answer": "seven"})
    async with person.events("steered") as events:
        first = await person.say("steered", "count, please")
        await until(events, "delta")
        second = await person.say("steered", "also the next one")
        final = await until(events, *ENDS)
        joined = await until(events, *ENDS)
    assert (final.type, final.data["message_id"]) == ("final", first)
    assert final.data["text"] == "one two three four five six\n\nseven"
    assert joined.type == "joined"
    assert joined.data == {"message_id": second, "answered_with": first}
    (run,) = await runs_of(kube, "steered")
    assert run["status"]["absorbed"] == [second]


@pytest.mark.timeout(90)
async def test_a_run_is_stopped_from_the_chat(person: Person, model: ScriptedModel) -> None:
    await model.script({**SLOW, "delay_s": 2.0})
    async with person.events("stopped-by-chat") as events:
        first = await person.say("stopped-by-chat", "count, please")
        running = await until(events, "running")
        asked = await person.say("stopped-by-chat", f"!stop {running.data['run']}")
        ends = [await until(events, *ENDS), await until(events, *ENDS)]
    by_message = {end.data["message_id"]: end for end in ends}
    assert by_message[first].type == "error"
    assert by_message[asked].type == "final"


@pytest.mark.timeout(90)
async def test_a_file_that_the_agent_attached_comes_with_the_answer(
    person: Person, model: ScriptedModel, kube: Kube
) -> None:
    arguments = '{"name": "pods.csv", "text": "a,b"}'
    await model.script(
        {"match": "as a file", "tool": "attach_file", "arguments": arguments, "answer": "Here."}
    )
    async with person.events("attached") as events:
        await person.say("attached", "the pods as a file")
        final = await until(events, *ENDS)
    named = {"name": "pods.csv", "media_type": "text/csv", "size_bytes": 3}
    assert final.data["files"] == [named]
    (run,) = await runs_of(kube, "attached")
    (file,) = run["status"]["files"]
    assert (file["name"], file["owner"]) == ("pods.csv", run["metadata"]["uid"])
