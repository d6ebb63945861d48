"""What the program does with answers: once, in their place, whatever Slack and the system meet."""

import asyncio

import pytest

from sympozium.chat.platform import Mark
from sympozium.contract.subjects import OUTBOX
from sympozium.testing.channels.driver import Fault, Spot, Where
from sympozium.testing.channels.stage import Stage
from tests.platforms.slack.driver import SlackDriver
from tests.platforms.slack.server import Planned, SlackServer

pytestmark = pytest.mark.timeout(90)


def server_of(stage: Stage) -> SlackServer:
    assert isinstance(stage.driver, SlackDriver)
    return stage.driver.server


async def test_an_archived_channel_is_said_and_its_answer_is_kept_for_a_person(own: Stage) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    server_of(own).workspace.channel(own.driver.chat_id(where)).is_archived = True
    await own.backstage.finish(heard, None, "never seen")
    trouble = await own.backstage.desk.told_of_trouble()
    assert trouble.reason == "ChannelArchived"
    assert await own.backstage.dead_letters(OUTBOX) == 1


async def test_a_deleted_thread_is_answered_once_in_its_channel(own: Stage) -> None:
    where = own.somewhere()
    said, heard = await own.asks("ada", where)
    channel = server_of(own).workspace.channel(own.driver.chat_id(where))
    del channel.messages[said.partition(":")[2]]
    await own.backstage.finish(heard, None, "the answer")
    seen = await own.sees_once(where, "the answer")
    assert seen.in_thread_of == ""


async def test_a_post_that_somebody_deleted_is_made_anew(own: Stage) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    (placeholder,) = await own.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    channel = server_of(own).workspace.channel(own.driver.chat_id(where))
    del channel.messages[placeholder.id.partition(":")[2]]
    await own.backstage.finish(heard, run, "the answer")
    await own.sees_once(where, "the answer")


async def test_a_run_at_work_when_the_program_was_killed_shows_its_progress_again(
    own: Stage,
) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    while not any(key.startswith("follow:") for key in own.backstage.desk.notes):  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.01)
    own.program.kill()
    await own.program.start()
    await own.backstage.starts(run)
    await own.sees_live(
        where, "there are two pods", lambda: own.backstage.writes(run, "there are two pods")
    )
    await own.backstage.finish(heard, run, "in truth three")
    await own.sees_once(where, "in truth three")
    assert len(own.driver.seen(where)) == 1


async def test_answers_come_without_streams_reactions_and_names_where_rights_are_missing(
    own: Stage,
) -> None:
    server = server_of(own)
    server.methods.streams_are_on = False
    server.workspace.scopes -= {"reactions:write", "chat:write.customize", "assistant:write"}
    where = own.somewhere()
    said, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    await own.sees(where, lambda seen: len(seen) == 1, "a placeholder")
    await own.backstage.finish(heard, run, "two pods")
    await own.sees_once(where, "two pods")
    assert own.driver.mark(said) is Mark.NONE


async def test_a_help_that_is_private_comes_where_the_bot_is_no_member(own: Stage) -> None:
    where = own.somewhere()
    server = server_of(own)
    server.workspace.channel(own.driver.chat_id(where)).has_bot = False
    await own.driver.commands("ada", where, "help")
    heard = await own.heard(where)
    await own.backstage.finish(heard, None, "This is help.", is_notice=True, is_private=True)
    while not server.delivery.answered:
        await own.driver.changed()
    assert "This is help." in str(server.delivery.answered)


async def test_a_busy_slack_is_not_called_and_nothing_is_lost(own: Stage) -> None:
    places = [Where(Spot.CHANNEL, f"busy-{number}") for number in range(5)]
    asked = [(where, (await own.asks("ada", where))[1]) for where in places]
    server_of(own).fail(Planned(Fault.BUSY, 4, 1.0))
    for where, heard in asked:
        await own.backstage.finish(heard, await own.backstage.accept(heard), f"for {where.name}")
    for where, _ in asked:
        await own.sees_once(where, f"for {where.name}")
    assert own.driver.counts.calls_in_penalty == 0


async def test_no_other_address_is_ever_called(own: Stage) -> None:
    where = own.somewhere()
    _, heard = await own.asks("ada", where)
    run = await own.backstage.accept(heard)
    file = await own.backstage.file(run, "pods.txt", b"pod a\n")
    await own.backstage.finish(heard, run, "see the file", files=[file])
    await own.sees(where, lambda seen: any("pods.txt" in one.files for one in seen), "a file")
    server = server_of(own)
    assert set(server.hosts) == {f"127.0.0.1:{server.port}"}
    assert "slack.com" not in own.program.log
