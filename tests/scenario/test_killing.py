"""Every program is killed in the middle of a run; the message still has exactly one end."""

import shutil
import stat
from collections.abc import Callable

import pytest

from sympozium_local.kubelet.traces import memory_dir_of
from sympozium_local.system.home import Home
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


async def ask_and_harm(
    person: Person, model: ScriptedModel, conversation: str, harm: Callable[[], None]
) -> list[dict[str, object]]:
    """Do *harm* while the answer is streaming; return every end of the message."""
    await model.script({"match": "count", "answer": ANSWER, "delay_s": WORD_S})
    async with person.events(conversation) as events:
        message_id = await person.say(conversation, "count to ten")
        async for event in events:
            if event.type == "delta":
                break
        harm()
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
    (reply,) = await ask_and_harm(person, model, f"kill-{program}", lambda: system.kill(program))
    assert (reply["error"], reply["text"]) == (None, ANSWER)


@pytest.mark.timeout(120)
@pytest.mark.one_machine("a kubelet's folder in memory is nobody's to remove")
async def test_a_logout_that_removes_what_is_in_memory_costs_nobody_an_answer(
    person: Person, model: ScriptedModel, system: System
) -> None:
    memory = memory_dir_of(Home(system.state).node)
    assert list(memory.iterdir()), "nothing of the pods is in memory"
    (reply,) = await ask_and_harm(person, model, "logout", lambda: shutil.rmtree(memory))
    assert (reply["error"], reply["text"]) == (None, ANSWER)
    assert stat.S_IMODE(memory.stat().st_mode) == 0o700


@pytest.mark.timeout(120)
async def test_a_killed_agent_is_told_in_one_sentence(
    person: Person, model: ScriptedModel, system: System
) -> None:
    (reply,) = await ask_and_harm(person, model, "kill-agent", lambda: system.kill("agent"))
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
