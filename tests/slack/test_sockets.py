"""Socket Mode: connections that end, are silent, or are refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sympozium.contract.errors import TransientError
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_slack import link, socket_mode
from sympozium_slack.addresses import Addresses
from sympozium_slack.api import Api, open_session
from sympozium_slack.events import Envelope
from sympozium_slack.link import Answer
from sympozium_slack.socket_mode import Signs, Sockets
from tests.platforms.slack.delivery import Parcel
from tests.platforms.slack.driver import SlackDriver
from tests.platforms.slack.server import SlackServer, slack_server
from tests.platforms.slack.workspace import APP_TOKEN

pytestmark = pytest.mark.timeout(60)
HERE = Where(Spot.DIRECT, "sockets")


def server_of(stage: Stage) -> SlackServer:
    assert isinstance(stage.driver, SlackDriver)
    return stage.driver.server


@dataclass
class Listener:
    """Sockets in this process, and what they were told and told."""

    server: SlackServer
    taken: list[str] = field(default_factory=list)
    down: list[tuple[str, str]] = field(default_factory=list)
    opened: int = 0
    fails: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, envelope: Envelope) -> Answer:
        if self.fails:
            raise TransientError("the bus is away")
        self.taken.append(json.loads(bytes(envelope.payload))["text"])
        self.news.set()
        return None

    async def set_aside(self, body: bytes, reason: str) -> None:
        self.taken.append(f"set aside: {reason}")
        self.news.set()

    def is_down(self, cause: str, reason: str) -> None:
        self.down.append((cause, reason))
        self.news.set()

    def is_opened(self) -> None:
        self.opened += 1
        self.news.set()

    def says(self, text: str) -> Parcel:
        return self.server.delivery.send(Parcel(text, "events_api", {"text": text}))

    async def until(self, count: int) -> list[str]:
        while len(self.taken) < count:
            self.news.clear()
            await self.news.wait()
        return self.taken

    async def until_down(self) -> tuple[str, str]:
        while not self.down:
            self.news.clear()
            await self.news.wait()
        return self.down[-1]


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """Yield two sockets of this process, open or about to be."""
    stop = asyncio.Event()
    async with slack_server() as server, open_session() as session, asyncio.TaskGroup() as group:
        listener = Listener(server)
        signs = Signs(up=lambda: None, down=listener.is_down, opened=listener.is_opened)
        api = Api(session, Addresses(server.url), APP_TOKEN)
        sockets = Sockets(api, listener.take, listener.set_aside, signs)
        group.create_task(sockets.listen_loop(stop))
        yield listener
        stop.set()


async def test_two_connections_are_open_and_each_event_is_taken_once() -> None:
    async with listening() as listener:
        await listener.server.delivery.wait_open(2)
        for number in range(20):
            listener.says(str(number))
        assert sorted(await listener.until(20), key=int) == [str(n) for n in range(20)]


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
async def test_open_connections_never_go_through_zero_when_slack_renews_them(reason: str) -> None:
    async with listening() as listener:
        delivery = listener.server.delivery
        await delivery.wait_open(2)
        delivery.watch_open()
        for number in range(2):
            await delivery.disconnect(reason, number=number)
        await delivery.wait_open(4)
        listener.says("meanwhile")
        assert await listener.until(1) == ["meanwhile"]
        assert delivery.least_open is not None
        assert delivery.least_open >= 2
        assert listener.opened == 1


async def test_connections_come_back_after_all_were_cut() -> None:
    async with listening() as listener:
        await listener.server.delivery.wait_open(2)
        await listener.server.delivery.cut()
        await listener.until_down()
        await listener.server.delivery.wait_open(2)
        listener.says("after")
        assert await listener.until(1) == ["after"]
        assert listener.opened == 2


async def test_a_connection_that_is_open_and_deaf_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link, "PING_EVERY_S", 0.02)
    monkeypatch.setattr(link, "DEAF_AFTER_S", 0.1)
    monkeypatch.setattr(socket_mode, "FIRST_PAUSE_S", 0.01)
    async with listening() as listener:
        listener.server.delivery.is_deaf = True
        await listener.server.delivery.cut()
        cause, reason = await listener.until_down()
        while "deaf" not in cause:
            listener.down.clear()
            cause, reason = await listener.until_down()
        assert reason == "Disconnected"
        listener.server.delivery.is_deaf = False
        listener.says("after")
        assert await listener.until(1) == ["after"]


async def test_a_connection_without_a_hello_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HELLO_TIMEOUT_S", 0.05)
    monkeypatch.setattr(socket_mode, "FIRST_PAUSE_S", 0.01)
    async with listening() as listener:
        listener.server.delivery.greets = False
        await listener.server.delivery.cut()
        await listener.until_down()
        listener.server.delivery.greets = True
        listener.says("after")
        assert await listener.until(1) == ["after"]


async def test_an_event_that_was_not_stored_is_not_acknowledged_and_comes_again() -> None:
    async with listening() as listener:
        await listener.server.delivery.wait_open(2)
        listener.fails = True
        parcel = listener.says("important")
        listener.server.delivery.ack_within_s = 0.05
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.shield(parcel.taken)
        assert listener.server.counts.accepted == []
        listener.fails = False
        await parcel.taken
        assert set(listener.taken) == {"important"}  # once more where its end came too late


async def test_a_frame_that_nobody_can_read_is_set_aside() -> None:
    async with listening() as listener:
        await listener.server.delivery.wait_open(2)
        await listener.server.delivery.raw('{"type":')
        (aside,) = await listener.until(1)
        assert aside.startswith("set aside: cannot read")


async def test_a_refused_app_token_is_said_with_a_reason() -> None:
    async with listening() as listener:
        listener.server.refuses_sockets = "invalid_auth"
        await listener.server.delivery.cut()
        cause, reason = await listener.until_down()
        while reason != "TokenRefused":
            listener.down.clear()
            cause, reason = await listener.until_down()
        assert APP_TOKEN not in cause


async def test_what_was_said_while_nobody_listened_is_read_from_the_history(own: Stage) -> None:
    delivery = server_of(own).delivery
    channel = own.somewhere()
    said, _ = await own.asks("ada", channel, "before")
    await own.asks("ada", HERE, "before")
    await own.program.stop()
    delivery.is_lossy = True
    await own.driver.says("ada", HERE, "meanwhile")
    await own.driver.says("ada", channel, "not for you")
    await own.driver.says("ada", Where(channel.spot, channel.name, said), "again", mention=True)
    await own.driver.says("bob", channel, "me too", mention=True)
    await own.program.start()
    assert (await own.heard(HERE)).text == "meanwhile"
    assert [(await own.heard(channel)).text for _ in range(2)] == ["again", "me too"]


async def test_a_message_stored_before_a_crash_and_told_again_is_one(own: Stage) -> None:
    said = await own.driver.says("ada", HERE, "once")
    first = await own.heard(HERE)
    own.program.kill()
    await own.driver.repeats(said, times=3)
    await own.program.start()
    _, barrier = await own.asks("ada", HERE, "barrier")
    assert (first.text, barrier.text) == ("once", "barrier")
