"""The bot accounts that are measured: where each is, who is beside it, and a crowd that writes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from sympozium.testing.channels.driver import Driver, Spot, Where
from tests.platforms.discord.driver import DiscordDriver
from tests.platforms.discord.driver import make_driver as make_discord
from tests.platforms.slack.delivery import Parcel, callback
from tests.platforms.slack.driver import SlackDriver
from tests.platforms.slack.driver import make_driver as make_slack
from tests.platforms.slack.workspace import Message
from tests.platforms.telegram.driver import TelegramDriver
from tests.platforms.telegram.driver import make_driver as make_telegram
from tests.platforms.telegram.markup import Parsed
from tests.platforms.telegram.world import Stored

PEOPLE = 40
"""They write in turns, each in a chat of their own."""

SLACK_AT_ONCE = 512
"""Events on their way at the same time: Slack sends one again that is not confirmed in 3 s."""

Deliver = Callable[[], Awaitable[None]]
"""Hands all messages of a crowd to the platform's wire."""


@dataclass(frozen=True)
class Account:
    """A bot at a platform that has nobody else in it.

    Attributes:
        crowd: Returns what delivers so many new messages.
    """

    driver: Driver
    crowd: Callable[[int], Deliver]


@dataclass(frozen=True)
class Platform:
    """A platform, and the bare program that hears the same there."""

    name: str
    bare: str
    open: Callable[[], AbstractAsyncContextManager[Account]]


def _line(number: int) -> tuple[str, Where, str]:
    """Return who writes the next message, where, and what."""
    person = f"person-{number % PEOPLE}"
    text = f"which pods run in namespace {number}, and why was one of them restarted?"
    return person, Where(Spot.DIRECT, person), text


@asynccontextmanager
async def _slack() -> AsyncIterator[Account]:
    async with make_slack() as driver:
        assert isinstance(driver, SlackDriver)
        yield Account(driver, lambda count: _slack_crowd(driver, count))


def _slack_crowd(driver: SlackDriver, count: int) -> Deliver:
    workspace, delivery = driver.server.workspace, driver.server.delivery

    def parcel(number: int) -> Parcel:
        person, where, text = _line(number)
        channel = workspace.channel(driver.chat_id(where))
        message = workspace.add(
            channel, Message(ts=workspace.now_ts(), user=workspace.user_id(person), text=text)
        )
        event = callback(driver.event(channel, message), workspace.next_id("Ev"))
        return Parcel(f"{channel.id}:{message.ts}", "events_api", event)

    parcels = [parcel(number) for number in range(count)]

    async def deliver() -> None:
        for number, one in enumerate(parcels):
            if number >= SLACK_AT_ONCE:
                await parcels[number - SLACK_AT_ONCE].taken
            delivery.send(one)

    return deliver


@asynccontextmanager
async def _telegram() -> AsyncIterator[Account]:
    async with make_telegram() as driver:
        yield Account(driver, lambda count: _telegram_crowd(driver, count))


def _telegram_crowd(driver: TelegramDriver, count: int) -> Deliver:
    world = driver.world

    def content(number: int) -> dict[str, object]:
        person, where, text = _line(number)
        stored = Stored(world.next_message_id(), world.person(person), Parsed(text))
        chat = driver.chat(where)
        chat.messages[stored.id] = stored
        return world.message_json(chat, stored)

    contents = [content(number) for number in range(count)]

    async def deliver() -> None:
        for one in contents:
            world.tell("message", one)

    return deliver


@asynccontextmanager
async def _discord() -> AsyncIterator[Account]:
    async with make_discord() as driver:
        yield Account(driver, lambda count: _discord_crowd(driver, count))


def _discord_crowd(driver: DiscordDriver, count: int) -> Deliver:
    world = driver.world
    events: list[tuple[str, dict[str, object]]] = []
    dispatch, world.dispatch = world.dispatch, lambda name, data: events.append((name, data))
    for number in range(count):
        person, where, text = _line(number)
        world.write(world.direct(where.name), world.person(person), text)
    world.dispatch = dispatch

    async def deliver() -> None:
        for name, data in events:
            dispatch(name, data)

    return deliver


PLATFORMS = (
    Platform("slack", "tests.bench.bare.slack", _slack),
    Platform("telegram", "tests.bench.bare.telegram", _telegram),
    Platform("discord", "tests.bench.bare.discord", _discord),
)
