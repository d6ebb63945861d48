"""Nothing that is written is lost with a connection, a session, or the program."""

from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from sympozium.testing.channels.driver import Where
from tests.discord.running import Running, direct, running
from tests.platforms.discord.driver import DiscordDriver
from tests.platforms.discord.sockets import INVALID_SESSION, RECONNECT, GatewayStand
from tests.platforms.discord.world import Json

pytestmark = pytest.mark.timeout(60)


async def test_another_process_resumes_the_session_of_one_that_was_stopped(here: Running) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    assert await here.stage.program.stop() == 0
    await here.discord.says("ada", where, "meanwhile")
    await here.stage.program.start()
    assert (await here.stage.heard(where)).text == "meanwhile"
    assert (here.gateway.identified, here.gateway.resumed) == (1, 1)


async def test_another_process_resumes_the_session_of_one_that_was_killed(here: Running) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    while "gateway" not in here.stage.backstage.desk.notes:
        await here.barrier()
    here.stage.program.kill()
    await here.discord.says("ada", where, "meanwhile")
    await here.stage.program.start()
    assert (await here.stage.heard(where)).text == "meanwhile"
    assert here.gateway.identified == 1


async def test_what_was_stored_before_a_kill_is_not_stored_again(here: Running) -> None:
    where = direct(here)
    for number in range(5):
        await here.stage.asks("ada", where, f"before {number}")
    here.stage.program.kill()  # within the second in which the position is not written yet
    await here.stage.program.start()
    await here.discord.says("ada", where, "after")
    assert (await here.stage.heard(where)).text == "after"


@pytest.mark.parametrize("code", [1000, 1001, 4000, 4001, 4009])
async def test_a_closed_connection_is_resumed(here: Running, code: int) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    here.gateway.send(code)
    _, heard = await here.stage.asks("ada", where, "after")
    assert heard.text == "after"
    assert here.gateway.identified == 1


@pytest.mark.parametrize("said", [{"op": RECONNECT, "d": None}, {"op": INVALID_SESSION, "d": True}])
async def test_a_gateway_that_asks_to_come_again_is_resumed(here: Running, said: Json) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    here.gateway.send(said)
    _, heard = await here.stage.asks("ada", where, "after")
    assert heard.text == "after"
    assert here.gateway.identified == 1


async def test_a_session_that_is_not_at_discord_any_more_is_begun_anew(here: Running) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    here.gateway.send({"op": INVALID_SESSION, "d": False})
    _, heard = await here.stage.asks("ada", where, "after")
    assert heard.text == "after"
    assert here.gateway.identified == 2


async def test_what_was_missed_is_read_back_where_resuming_is_refused(here: Running) -> None:
    chat, (channel, _), (other, _) = direct(here), here.channel(), here.channel()
    asked, heard = await here.stage.asks("ada", channel, "before")
    await here.stage.backstage.finish(
        heard, await here.stage.backstage.accept(heard), "an answer in a thread"
    )
    await here.stage.sees_once(channel, "an answer in a thread")
    await here.stage.asks("ada", chat, "before")
    await here.stage.program.stop()
    here.gateway.refuses_resume = True
    await here.discord.says("ada", chat, "missed in the direct chat")
    thread = Where(channel.spot, channel.name, thread=asked)
    await here.discord.says("ada", thread, "missed in the thread")
    await here.discord.says("bob", other, "missed in a channel", mention=True)
    await here.discord.says("bob", other, "not for the bot")
    await here.stage.program.start()
    assert (await here.stage.heard(chat)).text == "missed in the direct chat"
    in_thread = await here.stage.heard(channel)
    assert (in_thread.text, in_thread.conversation) == ("missed in the thread", heard.conversation)
    assert (await here.stage.heard(other)).text == "missed in a channel"
    await here.barrier()


async def test_roles_are_known_of_people_whose_message_was_read_back(here: Running) -> None:
    where, _ = here.channel()
    here.world.roles[here.discord.user_id("ada")] = ["7001"]
    await here.stage.asks("ada", where, "before")
    await here.stage.program.stop()
    here.gateway.refuses_resume = True
    await here.discord.says("ada", where, "missed", mention=True)
    await here.stage.program.start()
    assert (await here.stage.heard(where)).sender.groups == ["7001"]


async def test_more_than_a_page_of_missed_messages_is_read_back_in_order(here: Running) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    await here.stage.program.stop()
    here.gateway.refuses_resume = True
    for number in range(150):
        await here.discord.says("ada", where, f"missed {number}")
    await here.stage.program.start()
    heard = [(await here.stage.heard(where)).text for _ in range(150)]
    assert heard == [f"missed {number}" for number in range(150)]


async def test_what_was_missed_is_read_back_though_the_api_was_away_at_first(
    here: Running,
) -> None:
    where = direct(here)
    await here.stage.asks("ada", where, "before")
    await here.stage.program.stop()
    here.gateway.refuses_resume = True
    here.discord.api.is_down = True
    await here.discord.says("ada", where, "missed")
    await here.stage.program.start()
    here.discord.api.is_down = False
    assert (await here.stage.heard(where)).text == "missed"


async def test_a_gateway_that_is_away_at_first_is_tried_until_it_is_there(tmp_path: Path) -> None:
    def away(discord: DiscordDriver) -> None:
        discord.gateway.away_times = 3

    async with running(tmp_path, prepare=away) as here:
        assert (await here.barrier()).text == "barrier"


async def test_a_connection_that_does_not_answer_heartbeats_is_given_up(tmp_path: Path) -> None:
    def hurried(discord: DiscordDriver) -> None:
        discord.gateway.heartbeat_ms = 200

    async with running(tmp_path, prepare=hurried) as here:
        here.gateway.is_silent = True
        before = len(here.gateway.paths)
        while len(here.gateway.paths) == before:
            await here.gateway.connections.wait()
            here.gateway.connections.clear()
        here.gateway.is_silent = False
        here.gateway.cut()
        assert (await here.barrier()).text == "barrier"


def _cut(gateway: GatewayStand) -> None:
    gateway.cut()


def _close(gateway: GatewayStand) -> None:
    gateway.send(4000)


@pytest.mark.parametrize("break_off", [_cut, _close])
async def test_messages_that_come_while_connections_break_are_each_heard_once_and_in_order(
    here: Running, break_off: Callable[[GatewayStand], None]
) -> None:
    where = direct(here)
    for number in range(40):
        await here.discord.says("ada", where, f"message {number}")
        if number % 10 == 5:
            break_off(here.gateway)
    heard = [(await here.stage.heard(where)).text for _ in range(40)]
    assert heard == [f"message {number}" for number in range(40)]


async def test_the_session_is_resumed_at_the_channels_own_gateway_whatever_discord_names(
    here: Running,
) -> None:
    here.gateway.cut()
    await here.barrier()
    assert here.gateway.resumed == 1
    assert all(path.startswith("/gateway") for path in here.gateway.paths)


async def test_readiness_follows_the_gateway_and_liveness_does_not(here: Running) -> None:
    here.gateway.away_times = 1_000_000
    here.gateway.cut()
    async with aiohttp.ClientSession() as session:
        health = f"http://127.0.0.1:{here.stage.program._health_port}"
        while (await _status(session, f"{health}/readyz")) != 503:
            await here.gateway.connections.wait()
            here.gateway.connections.clear()
        assert await _status(session, f"{health}/livez") == 200
    here.gateway.away_times = 0
    await here.stage.program.ready()
    await here.barrier()


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return answer.status
