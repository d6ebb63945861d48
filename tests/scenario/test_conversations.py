"""From a message to its reply through every real part."""

import asyncio
import uuid

import pytest

from sympozium.contract.resources import AGENT_RUNS
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel, System


async def test_a_question_about_pods_is_answered_with_the_pods(person: Person) -> None:
    answer = await person.ask("pods", "which pods run here?")
    assert answer["error"] is None
    assert "sympozium-router" in answer["text"] or "channel-web" in answer["text"]


async def test_events_tell_the_story_of_a_message_in_order(person: Person) -> None:
    async with person.events("story") as events:
        message_id = await person.say("story", "which pods run here?")
        told: list[str] = []
        async for event in events:
            assert event.data["message_id"] == message_id
            told.append(event.type)
            if event.type in {"final", "error"}:
                break
    steps = [step for n, step in enumerate(told) if n == 0 or told[n - 1] != step]
    assert steps[0] == "stored"
    assert steps[-1] == "final"
    assert {"running", "progress", "delta"} <= set(steps)


async def test_a_follow_up_is_understood_from_what_was_said_before(person: Person) -> None:
    first = await person.ask("followed", "which pods run here?")
    second = await person.ask("followed", "and the second one?")
    assert second["error"] is None
    named = [word.strip("`*,.:;") for word in second["text"].split()]
    assert any(word in first["text"] and "-" in word for word in named)


async def test_the_same_message_posted_five_times_runs_once_and_is_answered_once(
    person: Person, kube: Kube
) -> None:
    once = uuid.uuid4().hex
    ids = {await person.say("five", "hello", client_id=once) for _ in range(5)}
    (message_id,) = ids
    await person.end_of("five", message_id)
    await person.say("five", "hello", client_id=once)
    barrier = await person.ask("five", "and now?")
    assert barrier["error"] is None
    transcript = await person.transcript("five")
    assert len(replies_to(transcript, message_id)) == 1
    runs = (await kube.list(AGENT_RUNS, "default")).items
    mine = [run for run in runs if run["spec"].get("source", {}).get("messageId") == message_id]
    assert len(mine) == 1


@pytest.mark.timeout(240)
async def test_what_a_crowd_says_in_many_conversations_stays_in_each(
    person: Person, model: ScriptedModel, system: System
) -> None:
    def question(number: int, part: int) -> str:
        return f"crowd <{number}/{part}>"

    await model.script(
        *(
            {"match": question(number, part), "answer": f"reply <{number}/{part}>"}
            for number in range(system.crowd)
            for part in range(4)
        )
    )

    crowd = uuid.uuid4().hex[:8]

    async def converse(number: int) -> None:
        name = f"crowd-{crowd}-{number}"
        ids = [await person.say(name, question(number, part)) for part in range(4)]
        await person.end_of(name, ids[-1])
        transcript = await person.transcript(name)
        answers = [entry for entry in transcript if entry["role"] == "assistant"]
        assert [entry["in_reply_to"] for entry in answers] == ids
        assert [entry["text"] for entry in answers] == [
            f"reply <{number}/{part}>" for part in range(4)
        ]

    async with asyncio.TaskGroup() as group:
        for number in range(system.crowd):
            group.create_task(converse(number))
