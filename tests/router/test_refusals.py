from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from typing_extensions import override

from sympozium.bus.nats import NatsBus
from sympozium.contract.messages import InboundMessage, OutboundKind, Sender
from sympozium.contract.names import MessageId, RunName, run_name
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENT_RUNS, AGENTS, CHANNELS
from sympozium.contract.subjects import DEAD, INBOX, dead, inbox
from sympozium_router.inbox.letters import Letter
from sympozium_router.inbox.reception import Reception
from tests.router.routed import ADA, CHANNEL, NAMESPACE, World, agent, channel, routing, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def error_of(world: World, message_id: str) -> tuple[str, str]:
    end = await world.shown.end_of(message_id)
    assert end.kind is OutboundKind.ERROR
    assert end.error is not None
    return end.error.code, end.error.message


async def test_a_sender_who_is_not_named_is_told_how_to_get_access(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.kube.patch(
            CHANNELS, NAMESPACE, CHANNEL, {"spec": {"access": {"users": ["bob"]}}}
        )
        async with world.router():
            message_id = await world.say("1")
            code, text = await error_of(world, message_id)
            entries = await world.transcript()
            runs = (await world.kube.list(AGENT_RUNS)).items
    assert code == "AccessDenied"
    assert "user id ada" in text
    assert [entry.state for entry in entries] == ["failed", "failed"]
    assert runs == []


async def test_a_display_name_gives_no_access(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.kube.patch(
            CHANNELS, NAMESPACE, CHANNEL, {"spec": {"access": {"users": ["ada"]}}}
        )
        async with world.router():
            mallory = Sender(platform="web", user_id="mallory", display_name="ada")
            refused = await world.say("1", sender=mallory)
            code, _ = await error_of(world, refused)
            heard = await world.say("2", sender=ADA)
            await world.answer(heard, "hi")
            final = await world.shown.end_of(heard)
    assert (code, final.text) == ("AccessDenied", "hi")


async def test_a_channel_whose_agent_is_missing_says_so(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.kube.delete(AGENTS, NAMESPACE, "helper")
        async with world.router():
            code, text = await error_of(world, await world.say("1"))
            await world.kube.create(AGENTS, agent())
            await world.run_of(await world.say("2"))
    assert code == "AgentNotFound"
    assert "helper" in text


async def test_a_message_of_a_channel_that_is_not_there_is_refused_in_its_place(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.kube.delete(CHANNELS, NAMESPACE, CHANNEL)
        await world.kube.create(CHANNELS, channel("other"))
        async with world.router():
            code, _ = await error_of(world, await world.say("1"))
    assert code == "AgentNotFound"


async def test_a_message_that_cannot_be_read_is_answered_and_kept_for_a_person(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        empty = await world.say("1", "  ")
        code, _ = await error_of(world, empty)
        await world.shown.end_of(await world.say("2", " "))
        kept = await bus.last(DEAD, dead(INBOX, NAMESPACE, CHANNEL))
    assert code == "MessageUnreadable"
    assert kept is not None


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"{}", b"[" * 100_000])
async def test_bytes_that_say_nothing_are_kept_and_hold_nobody_up(
    open_world: OpenWorld, bus: NatsBus, data: bytes
) -> None:
    async with open_world() as world, world.router():
        await bus.publish(inbox(NAMESPACE, CHANNEL), data, message_id="bad")
        message_id = await world.say("1")
        await world.answer(message_id, "hi")
        await world.shown.end_of(message_id)
        subject = dead(INBOX, NAMESPACE, CHANNEL)
        await until(lambda: bus.last(DEAD, subject))
        kept = await bus.last(DEAD, subject)
    assert kept is not None
    assert kept.data == data


async def test_a_run_of_that_name_that_answers_something_else_is_left_alone(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        message_id = MessageId(f"web:{NAMESPACE}/{CHANNEL}:c:1")
        name = run_name(CHANNEL, message_id)
        squatter = await world.kube.create(
            AGENT_RUNS, build_run(agent(), name=name, task="something else")
        )
        await world.say("1")
        code, text = await error_of(world, message_id)
        found = await world.run_of(message_id)
    assert code == "Internal"
    assert RunName(name) not in text
    assert found["metadata"]["uid"] == squatter["metadata"]["uid"]
    assert found["spec"]["task"] == "something else"


class ReceptionWithABug(Reception):
    """Stumbles over one text, every time."""

    @override
    async def give(self, letter: Letter, inbound: InboundMessage) -> None:
        """Handle every other message as usual."""
        if inbound.text == "stumble":
            raise ZeroDivisionError
        await super().give(letter, inbound)


async def test_a_message_that_meets_a_bug_is_told_so_kept_and_holds_nobody_else_up(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, routing(world, reception_type=ReceptionWithABug):
        bad, behind = await world.say("1", "stumble"), await world.say("2")
        other = await world.say("1", conversation="other")
        await world.answer(other, "hi")
        await world.shown.end_of(other)
        await world.answer(behind, "hi")
        await world.shown.end_of(behind)
        kept = await bus.last(DEAD, dead(INBOX, NAMESPACE, CHANNEL))
    ends = [shown.message_id for shown in world.shown.messages if shown.kind != "accepted"]
    assert sorted(ends) == sorted([other, bad, behind])
    assert ends.index(bad) < ends.index(behind)
    assert (await error_of(world, bad))[0] == "SetAside"
    assert kept is not None
