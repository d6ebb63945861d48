"""Commands, buttons and menus of Discord."""

import asyncio

import pytest

from sympozium.contract.messages import Choice, Command, InboundKind
from tests.discord.running import Running, direct

pytestmark = pytest.mark.timeout(60)


def choices(count: int, *, name: str = "small") -> list[Choice]:
    return [
        Choice(label=f"Model {n}", command=Command(name="model", arguments=f"{name}-{n}"))
        for n in range(count)
    ]


async def test_commands_are_put_into_the_menu_once(here: Running) -> None:
    where = direct(here)
    await here.discord.commands("ada", where, "help")
    await here.stage.heard(where)
    await here.stage.program.stop()
    await here.stage.program.start()
    await here.discord.commands("ada", where, "model", "small")
    heard = await here.stage.heard(where)
    assert heard.command == Command(name="model", arguments="small")
    assert here.world.command_writes == 1


async def test_a_menu_that_somebody_changed_is_set_right(here: Running) -> None:
    where = direct(here)
    await here.discord.commands("ada", where, "help")
    await here.stage.heard(where)
    await here.stage.program.stop()
    here.world.commands = here.world.commands[:2]
    await here.stage.program.start()
    await here.discord.commands("ada", where, "help")
    await here.stage.heard(where)
    assert here.world.command_writes == 2


async def test_many_choices_are_menus_and_each_asks_for_what_it_says(here: Running) -> None:
    where = here.stage.somewhere()
    _, heard = await here.stage.asks("ada", where)
    offered = choices(30)
    await here.stage.backstage.finish(heard, None, "Which?", choices=offered, is_notice=True)
    seen = await here.stage.sees_once(where, "Which?")
    assert seen.buttons == tuple(choice.label for choice in offered)
    await here.discord.presses("bob", seen.id, "Model 27")
    assert (await here.stage.heard(where)).command == offered[27].command


async def test_a_choice_that_does_not_fit_into_a_button_works_after_a_restart(
    here: Running,
) -> None:
    where = here.stage.somewhere()
    _, heard = await here.stage.asks("ada", where)
    offered = choices(2, name="m" * 300)
    await here.stage.backstage.finish(heard, None, "Which?", choices=offered, is_notice=True)
    seen = await here.stage.sees_once(where, "Which?")
    await here.stage.program.stop()
    await here.stage.program.start()
    await here.discord.presses("bob", seen.id, "Model 1")
    assert (await here.stage.heard(where)).command == offered[1].command


async def test_thinking_goes_away_where_the_answer_is_for_everyone(here: Running) -> None:
    where = here.stage.somewhere()
    await here.discord.commands("ada", where, "status")
    heard = await here.stage.heard(where)
    await here.stage.backstage.finish(heard, None, "two runs", is_notice=True)
    seen = await here.stage.sees_once(where, "two runs")
    assert seen.only_for == ""
    await here.until(lambda: here.world.whispers == {})


async def test_a_private_answer_that_is_faster_than_discord_is_private(here: Running) -> None:
    where = here.stage.somewhere()
    whispers = here.discord.api.whispers
    whispers.callbacks_are_open.clear()
    await here.discord.commands("ada", where, "status")
    heard = await here.stage.heard(where)
    await here.stage.backstage.finish(heard, None, "two runs", is_notice=True, is_private=True)
    _, other = await here.stage.asks("bob", direct(here))
    await here.stage.backstage.finish(other, None, "a barrier")
    await here.barrier()
    whispers.callbacks_are_open.set()
    assert (await here.stage.sees_once(where, "two runs")).only_for == "ada"


async def test_a_private_answer_after_a_restart_is_an_ordinary_message(here: Running) -> None:
    where = here.stage.somewhere()
    await here.discord.commands("ada", where, "status")
    heard = await here.stage.heard(where)
    here.stage.program.kill()
    await here.stage.program.start()
    await here.stage.backstage.finish(heard, None, "two runs", is_notice=True, is_private=True)
    await here.stage.sees_once(where, "two runs")


async def test_a_command_that_was_replayed_too_late_is_answered_all_the_same(
    here: Running,
) -> None:
    where = here.stage.somewhere()
    await here.stage.program.stop()
    here.world.commands = here.world.commands or [{"name": "status", "options": []}]
    await here.discord.commands("ada", where, "status")
    for asked in here.discord.api.whispers.asked.values():
        asked.at -= 10.0
    await here.stage.program.start()
    heard = await here.stage.heard(where)
    await here.stage.backstage.finish(heard, None, "two runs", is_notice=True, is_private=True)
    await here.stage.sees_once(where, "two runs")


async def test_the_token_of_an_interaction_stays_in_the_channel(here: Running) -> None:
    where = here.stage.somewhere()
    await here.discord.commands("ada", where, "status")
    heard = await here.stage.heard(where)
    await here.stage.backstage.finish(heard, None, "two runs", is_notice=True, is_private=True)
    await here.stage.sees_once(where, "two runs")
    await here.stage.program.stop()
    (asked,) = here.discord.api.whispers.asked.values()
    assert asked.token not in repr(heard)
    assert asked.token not in repr(here.stage.backstage.desk.notes)
    assert asked.token not in here.stage.program.log


async def test_a_press_is_confirmed_and_shows_nothing_by_itself(here: Running) -> None:
    where = here.stage.somewhere()
    _, heard = await here.stage.asks("ada", where)
    run = await here.stage.backstage.accept(heard)
    seen = await here.stage.sees(where, lambda seen: any(one.buttons for one in seen), "a button")
    await here.discord.presses("ada", seen[0].id, "Stop")
    pressed = await here.stage.heard(where)
    assert (pressed.kind, pressed.conversation) == (InboundKind.COMMAND, heard.conversation)
    (asked,) = here.discord.api.whispers.asked.values()
    async with asyncio.timeout(10):
        while not asked.answer:  # noqa: ASYNC110 - it is confirmed beside everything else
            await asyncio.sleep(0.01)
    assert asked.answer == 6
    await here.stage.backstage.fail(heard, run, "Cancelled.")
    await here.stage.sees_once(where, "Cancelled.")
