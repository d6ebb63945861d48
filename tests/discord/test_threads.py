"""The threads of conversations: made, missing, closed, and what is said then."""

import pytest

from tests.discord.running import Running

pytestmark = pytest.mark.timeout(60)


async def test_a_thread_is_called_by_what_was_asked(here: Running) -> None:
    where, _ = here.channel()
    asked, heard = await here.stage.asks("ada", where, "which pods run here?")
    await here.stage.backstage.finish(heard, None, "two")
    await here.stage.sees_once(where, "two")
    assert here.world.thread_on(asked).name == "which pods run here?"


async def test_a_thread_that_somebody_made_already_is_used(here: Running) -> None:
    where, room = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    here.world.begin_thread(room, asked, "mine")
    await here.stage.backstage.finish(heard, None, "two")
    assert (await here.stage.sees_once(where, "two")).in_thread_of == asked


async def test_where_there_can_be_no_thread_the_answer_is_a_reply(here: Running) -> None:
    where, room = here.channel()
    room.allows_threads = False
    asked, heard = await here.stage.asks("ada", where)
    run = await here.stage.backstage.accept(heard)
    await here.stage.backstage.finish(heard, run, "two")
    seen = await here.stage.sees_once(where, "two")
    assert seen.in_thread_of == ""
    assert room.messages[seen.id]["message_reference"]["message_id"] == asked


async def test_an_answer_whose_thread_was_deleted_is_said_in_the_channel_once(
    here: Running,
) -> None:
    where, room = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    run = await here.stage.backstage.accept(heard)
    await here.stage.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    del here.world.rooms[asked]
    await here.stage.backstage.finish(heard, run, "two")
    seen = await here.stage.sees_once(where, "two")
    assert seen.in_thread_of == ""
    assert len(here.discord.seen(where)) == 1
    assert room.messages[seen.id]["message_reference"]["message_id"] == asked


async def test_an_answer_to_what_was_asked_in_a_deleted_thread_links_to_where_the_thread_hung(
    here: Running,
) -> None:
    where, room = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    await here.stage.backstage.finish(heard, None, "two")
    await here.stage.sees_once(where, "two")
    here.writes(here.world.thread_on(asked), here.world.person("ada"), "more?")
    second = await here.stage.heard(where)
    del here.world.rooms[asked]
    await here.stage.backstage.finish(second, None, "three")
    seen = await here.stage.sees_once(where, "three")
    assert seen.in_thread_of == ""
    assert room.messages[seen.id]["message_reference"]["message_id"] == asked


async def test_an_answer_whose_thread_was_locked_is_said_in_the_channel(here: Running) -> None:
    where, _ = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    await here.stage.backstage.finish(heard, None, "two")
    await here.stage.sees_once(where, "two")
    thread = here.world.thread_on(asked)
    author = here.world.person("ada")
    here.writes(thread, author, "more?")
    second = await here.stage.heard(where)
    thread.locked = True
    await here.stage.backstage.finish(second, None, "three")
    assert (await here.stage.sees_once(where, "three")).in_thread_of == ""


async def test_an_answer_in_an_archived_thread_is_changed_all_the_same(here: Running) -> None:
    where, _ = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    run = await here.stage.backstage.accept(heard)
    await here.stage.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    here.world.thread_on(asked).archived = True
    await here.stage.backstage.finish(heard, run, "two")
    assert (await here.stage.sees_once(where, "two")).in_thread_of == asked


async def test_an_answer_to_a_message_that_was_deleted_is_said_in_the_channel(
    here: Running,
) -> None:
    where, room = here.channel()
    asked, heard = await here.stage.asks("ada", where)
    del room.messages[asked]  # and the event of it is lost
    await here.stage.backstage.finish(heard, None, "two")
    assert (await here.stage.sees_once(where, "two")).in_thread_of == ""


async def test_a_placeholder_that_somebody_deleted_is_replaced_by_the_answer(
    here: Running,
) -> None:
    where, _ = here.channel()
    _, heard = await here.stage.asks("ada", where)
    run = await here.stage.backstage.accept(heard)
    (placeholder,) = await here.stage.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    room, _ = here.world.find(placeholder.id)
    del room.messages[placeholder.id]
    await here.stage.backstage.finish(heard, run, "two")
    await here.stage.sees_once(where, "two")


@pytest.mark.parametrize("knows_nonces", [True, False])
async def test_a_placeholder_is_found_by_the_successor_of_who_was_killed_while_posting(
    here: Running, knows_nonces: bool
) -> None:
    where, _ = here.channel()
    _, heard = await here.stage.asks("ada", where)
    here.discord.faults.when_shown = here.stage.program.kill
    run = await here.stage.backstage.accept(heard)
    await here.stage.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    if not knows_nonces:  # Discord forgets them within minutes
        here.gateway.sessions.clear()
        for room in here.world.rooms.values():
            room.nonces.clear()
    await here.stage.program.start()
    await here.stage.backstage.finish(heard, run, "two")
    await here.stage.sees_once(where, "two")
    assert len(here.discord.seen(where)) == 1


async def test_an_answer_is_found_by_the_successor_of_who_was_killed_while_posting(
    here: Running,
) -> None:
    where, _ = here.channel()
    _, heard = await here.stage.asks("ada", where)
    here.discord.faults.when_shown = here.stage.program.kill
    said = await here.stage.backstage.finish(heard, None, "two")
    await here.stage.sees_once(where, "two")
    here.gateway.sessions.clear()
    for room in here.world.rooms.values():
        room.nonces.clear()
    await here.stage.program.start()
    await here.stage.backstage.repeat(said, times=1)  # the bus does so after half a minute
    await here.barrier()
    _, later = await here.stage.asks("ada", where)
    await here.stage.backstage.finish(later, None, "three")
    await here.stage.sees_once(where, "three")
    assert sum("two" in one.text for one in here.discord.seen(where)) == 1
