"""Every program is killed in the middle of a run; the message still has exactly one end."""

import pytest

from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel, System

PROGRAMS = (
    "router",
    "controller",
    "channel",
    "ipc-bridge",
    "nats-server",
    "apiserver",
    "node",  # its pods die with it, and the run is done again in a new one
)
ANSWER = "one two three four five six seven eight nine ten"
WORD_S = 0.4
"""Between two words of it, so that a busy machine finds what to kill before the last one."""


async def ask_and_kill(
    person: Person, model: ScriptedModel, system: System, program: str
) -> list[dict[str, object]]:
    """Kill *program* while the answer is streaming; return every end of the message."""
    await model.script({"match": "count", "answer": ANSWER, "delay_s": WORD_S})
    conversation = f"kill-{program}"
    async with person.events(conversation) as events:
        message_id = await person.say(conversation, "count to ten")
        async for event in events:
            if event.type == "delta":
                break
        system.kill(program)
    await person.end_of(conversation, message_id)
    await model.script()
    barrier = await person.ask(conversation, "hello again")
    assert barrier["error"] is None
    return replies_to(await person.transcript(conversation), message_id)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_killed_program_costs_nobody_an_answer(
    person: Person, model: ScriptedModel, system: System, program: str
) -> None:
    (reply,) = await ask_and_kill(person, model, system, program)
    assert reply["error"] is None
    assert reply["text"] == ANSWER


@pytest.mark.timeout(120)
async def test_a_killed_agent_is_told_in_one_sentence(
    person: Person, model: ScriptedModel, system: System
) -> None:
    (reply,) = await ask_and_kill(person, model, system, "agent")
    error = reply["error"]
    assert isinstance(error, dict)
    assert error["code"] == "AgentCrashed"


@pytest.mark.timeout(120)
@pytest.mark.one_machine("a cluster is not stopped and started as a whole")
async def test_what_was_asked_before_the_system_stopped_is_answered_when_it_is_back(
    person: Person, model: ScriptedModel, system: System
) -> None:
    await model.script({"match": "count", "answer": ANSWER, "delay_s": 0.3})
    first = await person.say("left-waiting", "count to ten")
    second = await person.say("left-waiting", "count again")
    down = system.sympozium("down")
    assert down.returncode == 0, down.stderr
    await model.script({"match": "count", "answer": ANSWER})
    up = system.sympozium("up", "--background")
    assert up.returncode == 0, up.stdout + up.stderr
    for message_id in (first, second):
        answer = await person.end_of("left-waiting", message_id)
        assert (answer["error"], answer["text"]) == (None, ANSWER)
    transcript = await person.transcript("left-waiting")
    answered = [entry["in_reply_to"] for entry in transcript if entry["role"] == "assistant"]
    assert answered == [first, second]
