from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from sympozium.bus.nats import NatsBus
from sympozium.contract.messages import InboundKind, OutboundKind
from sympozium.contract.names import MessageId
from sympozium.contract.resources import AGENT_RUNS
from tests.dead.letters import STUMBLE, Stumbling, letters
from tests.router.routed import NAMESPACE, World, routing, until
from tests.router.test_admission import EVE

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def set_aside(world: World) -> MessageId:
    """Have a message meet a bug until it is given up; return its id."""
    async with routing(world, reception_type=Stumbling):
        message_id = await world.say("1", STUMBLE)
        await world.shown.end_of(message_id)
        await until(lambda: letters(world.bus))
    return message_id


async def press(world: World, message_id: str, client_id: str, **more: Any) -> str:
    """Press the button below the error of a message."""
    (choice,) = world.shown.ends(message_id)[-1].choices
    return await world.say(
        client_id, "", kind=InboundKind.COMMAND, command=choice.command, **more
    )  # fmt: skip


async def test_the_button_below_a_dead_message_puts_it_through_again(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            pressed = await press(world, dead, "press")
            await world.answer(f"{dead}~1", "here it is")
            end = await world.shown.end_of(f"{dead}~1")
            await world.shown.end_of(pressed)
            runs = (await world.kube.list(AGENT_RUNS, NAMESPACE)).items
    assert [run["spec"]["task"] for run in runs] == [STUMBLE]
    assert (end.kind, end.text) == (OutboundKind.FINAL, "here it is")
    kinds = [shown.kind for shown in world.shown.ends(dead) + world.shown.ends(pressed)]
    assert kinds == [OutboundKind.ERROR, OutboundKind.DROPPED]


async def test_pressing_twice_gives_one_run_and_says_so(open_world: OpenWorld) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            await press(world, dead, "p1")
            again = await press(world, dead, "p2")
            told = await world.shown.end_of(again)
            await world.answer(f"{dead}~1", "once")
            await world.shown.end_of(f"{dead}~1")
            later = await world.shown.end_of(await press(world, dead, "p3"))
            runs = (await world.kube.list(AGENT_RUNS, NAMESPACE)).items
    assert len(runs) == 1
    for notice in (told, later):
        assert notice.text.startswith("This message is being tried again already")
        assert notice.is_private


async def test_the_same_press_delivered_again_gives_one_run(open_world: OpenWorld) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            for number in range(3):
                await press(world, dead, "p", nats_id=f"again-{number}")
            barrier = await world.say("2")  # is dealt with after them
            await world.answer(f"{dead}~1", "once")
            await world.shown.end_of(f"{dead}~1")
            await world.answer(barrier, "hi")
            await world.shown.end_of(barrier)
    assert len(world.shown.ends(f"{dead}~1")) == 1


async def test_what_fails_again_can_be_tried_again(open_world: OpenWorld) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            await press(world, dead, "p1")
            run = await world.run_of(f"{dead}~1")
            await world.end_run(run, phase="Failed", error={"reason": "Evicted", "message": ""})
            await world.shown.end_of(f"{dead}~1")
            await world.command("c", "retry")
            await world.answer(f"{dead}~1~1", "at last")
            end = await world.shown.end_of(f"{dead}~1~1")
    assert end.text == "at last"


async def test_nobody_but_its_sender_has_a_message_tried_again(open_world: OpenWorld) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            told = await world.shown.end_of(await press(world, dead, "p", sender=EVE))
    assert told.text == "Only who wrote a message can have it tried again."


async def test_where_nothing_failed_there_is_nothing_to_try(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        told = await world.shown.end_of(await world.command("c", "retry", "abc"))
    assert told.text == "There is no message abc here that failed. Please write it anew."


async def test_the_sentence_says_what_to_write_where_there_are_no_buttons(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        (end,) = world.shown.ends(dead)
        (choice,) = end.choices
        ((letter, _),) = await letters(bus)
    assert end.error is not None
    assert f"!retry {choice.command.arguments}" in end.error.message
    assert "ZeroDivisionError" in letter.reason
