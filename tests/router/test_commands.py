"""What people ask the system: answered at once, from what is known, once."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.chat.commands import COMMANDS, RETRY
from sympozium.contract.messages import (
    Command,
    InboundMessage,
    OutboundKind,
    OutboundMessage,
    Sender,
)
from sympozium.contract.names import ConversationId, MessageId, run_name, short_hash
from sympozium.contract.resources import AGENT_RUNS, AGENTS
from sympozium.contract.run_events import Usage
from sympozium.store.ports import MAX_OPEN, Cut, Message, Scene, Talk
from sympozium_router.commands import notices
from sympozium_router.commands.answers import Answer, Asked, answer
from sympozium_router.commands.notices import Waiting
from sympozium_router.runs.turns import with_run
from tests.router.routed import CHANNEL, World, agent
from tests.router.test_modes import end_cancelled, is_cancelled, stored

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def asked(
    world: World, client_id: str, name: str, arguments: str = "", **more: Any
) -> OutboundMessage:
    return await world.shown.end_of(await world.command(client_id, name, arguments, **more))


async def cuts(world: World) -> list[Cut]:
    """Return whether the messages that wait are to end early; their runs hear of it later."""
    return [
        message.cut
        for talk in await world.store.open_conversations()
        for message in await world.store.open_messages(talk, limit=MAX_OPEN)
        if message.end is None
    ]


async def test_a_command_is_answered_while_a_run_is_at_work(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        first = await world.say("1", "one")
        run = await world.run_of(first)
        await world.shown.accepted(first)
        await world.context(run["metadata"]["uid"])
        second = await world.say("2", "two")
        await world.shown.accepted(second)
        status = await asked(world, "3", "status")
        runs = (await world.kube.list(AGENT_RUNS)).items
    assert status.kind is OutboundKind.FINAL
    assert (status.is_notice, status.agent, status.run_name) == (True, "", "")
    name = run["metadata"]["name"]
    assert status.text.startswith(f"- {name}: agent helper, for ")
    waits = run_name(CHANNEL, second)
    assert f'- {waits} "two" waits for its turn.' in status.text
    assert [(choice.label, choice.command) for choice in status.choices] == [
        (f"Stop {one}", Command(name="stop", arguments=one)) for one in (name, waits)
    ]
    assert len(runs) == 2


async def test_a_command_behind_very_many_messages_is_answered(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        for n in range(40):
            last = await world.say(f"m{n}", conversation="c")
        await world.shown.accepted(last)
        assert (await asked(world, "help", "help")).is_notice


async def test_stop_ends_what_is_at_work_and_what_waits_in_this_conversation_alone(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        ids = [await world.say("1"), await world.say("2")]
        elsewhere = await world.say("1", conversation="other")
        runs = [await world.run_of(id_) for id_ in ids]
        other = await world.run_of(elsewhere)
        await world.shown.accepted(ids[1])
        stopped = await asked(world, "3", "stop")
        for run in runs:
            await end_cancelled(world, run)
        ends = [await world.shown.end_of(id_) for id_ in ids]
        assert not await is_cancelled(world, other)
        again = await asked(world, "4", "stop")
    first, second = (run["metadata"]["name"] for run in runs)
    assert stopped.text == f'Stopped: {first} and 1 message that waited ({second} "hello").'
    assert [end.error.code if end.error else "" for end in ends] == ["Cancelled"] * 2
    assert again.text == "Nothing is being worked on here."


async def test_stop_with_a_name_ends_that_run_and_no_run_of_another_conversation(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first = await world.say("1")
        second = await world.say("2")
        elsewhere = await world.run_of(await world.say("1", conversation="other"))
        runs = [await world.run_of(first), await world.run_of(second)]
        await world.shown.accepted(second)
        refused = await asked(world, "3", "stop", elsewhere["metadata"]["name"])
        await asked(world, "4", "stop", runs[1]["metadata"]["name"])
        await end_cancelled(world, runs[1])
        await world.end_run(runs[0], result="uno")
        await world.shown.end_of(second)
        assert not await is_cancelled(world, elsewhere)
        assert not await is_cancelled(world, runs[0])
    assert refused.text == "Nothing is being worked on here."
    assert world.shown.ends(first)[0].text == "uno"


async def test_stop_ends_messages_that_wait_without_a_run(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.set_channel(mode="collect")
        async with world.router():
            first = await world.say("1")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            second = await world.say("2")
            await stored(world, second)
            stopped = await asked(world, "3", "stop")
            await end_cancelled(world, run)
            end = await world.shown.end_of(second)
            runs = (await world.kube.list(AGENT_RUNS)).items
    assert stopped.text.endswith(f'and 1 message that waited ({short_hash(second)} "hello").')
    assert end.error is not None
    assert end.error.code == "Cancelled"
    assert len(runs) == 1


@pytest.mark.parametrize("mode", ["queue", "collect"])
async def test_what_status_names_as_waiting_is_stopped_by_that_name_and_nothing_else_is(
    open_world: OpenWorld, mode: str
) -> None:
    async with open_world() as world:
        await world.set_channel(mode=mode)
        async with world.router():
            first = await world.say("1", "one")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            ids = [await world.say("2", "delete *pod a* @everyone"), await world.say("3", "three")]
            for id_ in ids:
                await stored(world, id_)
            status = await asked(world, "4", "status")
            _, button, _ = status.choices
            stopped = await asked(world, "5", button.command.name, button.command.arguments)
            left = await asked(world, "6", "status")
            cut = await cuts(world)
            assert not await is_cancelled(world, run)
    name = button.command.arguments
    assert f'- {name} "delete pod a everyone" waits for its turn.' in status.text
    assert stopped.text == f'Stopped: 1 message that waited ({name} "delete pod a everyone").'
    assert cut == [Cut.NOT, Cut.STOPPED, Cut.NOT]
    assert name not in left.text
    assert '"three" waits for its turn.' in left.text


async def test_a_status_names_the_first_that_wait_and_counts_the_others() -> None:
    text = notices.status([], [Waiting(f"web-{n}", "word " * 40) for n in range(12)])
    *listed, more, how = text.splitlines()
    assert len(listed) == 10
    assert listed[9].startswith('- web-9 "word word')
    assert len(listed[9]) < 80
    assert (more, how) == ("- 2 more wait.", "- To stop one: !stop and its name.")


async def test_a_stop_that_comes_five_times_stops_what_there_was_and_nothing_later(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        async with world.router():
            first = await world.say("1")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            stop = await world.command("2", "stop")
            await end_cancelled(world, run)
            await world.shown.end_of(first)
            later = await world.say("3")
            await world.shown.accepted(later)
            for copy in range(4):
                await world.command("2", "stop", nats_id=f"again-{copy}")
        async with world.router():
            await asked(world, "barrier", "help")
            assert await cuts(world) == [Cut.NOT]
            assert not await is_cancelled(world, await world.run_of(later))
    assert len(world.shown.of(stop)) == 1


async def test_a_stop_that_was_stored_is_carried_out_by_the_next_router(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        async with world.router():
            first = await world.say("1")
            run = await world.run_of(first)
            await world.shown.accepted(first)
        (talk,) = await world.store.open_conversations()
        await world.store.revise(talk, lambda open_: [replace(open_[0], cut=Cut.STOPPED)])
        async with world.router():  # the one before died between the two steps
            await end_cancelled(world, run)
            end = await world.shown.end_of(first)
    assert end.error is not None
    assert end.error.code == "Cancelled"


async def test_new_forgets_what_was_said_before_for_runs_and_the_bill(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first = await world.say("1", "the password is swordfish")
        usage = {"inputTokens": 1000, "outputTokens": 234}
        await world.end_run(await world.run_of(first), result="ok", usage=usage)
        await world.shown.end_of(first)
        cost = await asked(world, "2", "cost")
        new = await asked(world, "3", "new")
        run = await world.run_of(await world.say("4", "what is the password?"))
        told = (await world.context(run["metadata"]["uid"])).context
        cost_after = await asked(world, "5", "cost")
        entries = await world.transcript()
    assert told is not None
    assert told.history == []
    assert new.text.startswith("Starting over")
    assert "1,234 tokens: 1,000 for" in cost.text
    assert "no tokens yet" in cost_after.text
    assert entries[0].text == "the password is swordfish"


async def test_the_model_that_was_chosen_is_used_from_the_next_message_on(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.set_channel(models=["small", "large"])
        async with world.router():
            shown = await asked(world, "1", "model")
            wrong = await asked(world, "2", "model", "huge")
            await asked(world, "3", "model", "large")
            run = await world.run_of(await world.say("4"))
            told = (await world.context(run["metadata"]["uid"])).context
            other = await world.run_of(await world.say("1", conversation="other"))
            await asked(world, "5", "model", "default")
            reset = await world.run_of(await world.say("6"))
    assert "The model here is demo." in shown.text
    assert [choice.command.arguments for choice in shown.choices] == ["small", "large"]
    assert shown.is_private
    assert wrong.text.startswith("There is no model huge here.")
    assert told is not None
    assert (run["spec"]["model"]["model"], told.model.model) == ("large", "large")
    assert other["spec"]["model"]["model"] == "demo"
    assert reset["spec"]["model"]["model"] == "demo"


async def test_a_model_that_may_not_be_chosen_any_more_is_not_used(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.set_channel(models=["large"])
        async with world.router():
            await asked(world, "1", "model", "large")
        await world.set_channel(models=["small"])
        async with world.router():
            run = await world.run_of(await world.say("2"))
    assert run["spec"]["model"]["model"] == "demo"


async def test_the_agent_that_was_chosen_answers_in_that_conversation(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.kube.create(AGENTS, agent("coder"))
        await world.set_channel(agents=["coder"])
        async with world.router():
            shown = await asked(world, "1", "agents")
            await asked(world, "2", "agents", "coder")
            chosen = await world.run_of(await world.say("3"))
            other = await world.run_of(await world.say("1", conversation="other"))
    assert [choice.label for choice in shown.choices] == ["helper", "coder"]
    assert chosen["spec"]["agentRef"] == "coder"
    assert other["spec"]["agentRef"] == "helper"


async def test_an_agent_that_is_not_there_cannot_be_chosen(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.set_channel(agents=["gone"])
        async with world.router():
            shown = await asked(world, "1", "agents", "gone")
            run = await world.run_of(await world.say("2"))
    assert shown.text.startswith("There is no agent gone here. The agent here is helper.")
    assert shown.choices == []
    assert run["spec"]["agentRef"] == "helper"


async def test_a_command_that_nobody_knows_is_answered_with_what_there_is(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        end = await asked(world, "1", "dance")
    assert end.text.startswith("There is no command dance. What can be asked for:")
    assert all(f"{command.name}" in end.text for command in COMMANDS)
    assert end.is_private


async def test_who_may_not_speak_may_not_ask_the_system_either(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.set_channel(access={"users": ["bob"]})
        async with world.router():
            end = await asked(world, "1", "status")
    assert end.error is not None
    assert end.error.code == "AccessDenied"


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def line(*numbers: int) -> list[Message]:
    return [
        with_run(
            Message(
                "n",
                "web",
                InboundMessage(
                    message_id=MessageId(f"m{n}"),
                    conversation=ConversationId("c"),
                    sender=Sender(platform="web", user_id="ada"),
                    text="hello",
                    time=NOW,
                ),
                n,
                NOW,
                agent="helper",
                begun_at=NOW - timedelta(minutes=2, seconds=5),
            )
        )
        for n in numbers
    ]


def said(name: str, arguments: str = "", *, scene: Scene | None = None) -> Answer:
    asked_ = Asked(
        command=Command(name=name, arguments=arguments),
        sequence=9,
        agents=["helper", "coder"],
        models=["a", "b"],
        by_rule="helper",
        own_model="demo",
        usage=Usage(),
        now=NOW,
    )
    return answer(asked_, scene or Scene((), Talk()))


@given(name=st.text(max_size=40), arguments=st.text(max_size=80))
def test_whatever_is_asked_the_answer_says_something_and_acts_nowhere(
    name: str, arguments: str
) -> None:
    text = said(name, arguments).text
    assert text.strip()
    assert not set(text) & set("@`~|#[]{}!\u202e\0")


@pytest.mark.parametrize("name", [one.name for one in COMMANDS if one.name != RETRY])
def test_every_command_that_is_offered_is_answered(name: str) -> None:
    assert "There is no command" not in said(name).text


def test_status_says_how_long() -> None:
    answered = said("status", scene=Scene(line(1), Talk()))
    assert answered.text.endswith("agent helper, for 2 min 5 s.")


def test_what_is_to_end_already_is_not_stopped_again() -> None:
    being_stopped = [replace(one, cut=Cut.INTERRUPTED) for one in line(1)]
    answered = said("stop", scene=Scene(being_stopped, Talk()))
    assert answered.changed == []


def test_choosing_keeps_what_else_was_chosen() -> None:
    before = Talk(agent="coder", model="a", since=3, left_at=2)
    assert said("model", "b", scene=Scene((), before)).talk == replace(before, model="b")
    assert said("agents", "@helper", scene=Scene((), before)).talk == replace(
        before, agent="helper"
    )
    assert said("new", scene=Scene((), before)).talk == replace(before, since=9)
