"""The channel's program between a stand-in Discord and a bus, for what is Discord's own."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from sympozium.contract.messages import InboundMessage
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage, stage
from tests.platforms.discord.driver import DiscordDriver, make_driver
from tests.platforms.discord.world import Json, Room

Prepare = Callable[[DiscordDriver], None]


class Running:
    """One channel that runs."""

    def __init__(self, stage: Stage, discord: DiscordDriver) -> None:
        self.stage = stage
        self.discord = discord
        self.world = discord.world
        self.gateway = discord.gateway

    def channel(self) -> tuple[Where, Room]:
        """Return a channel that nobody was in."""
        where = self.stage.somewhere()
        return where, self.world.channel(where.name)

    def writes(self, room: Room, author: Json, content: str, **more: object) -> str:
        """Write in a room as anybody, naming the bot; return the message's id."""
        return str(self.world.write(room, author, self.naming(content), **more)["id"])

    def naming(self, text: str) -> str:
        """Return *text* after a mention of the bot."""
        return f"<@{self.world.bot}> {text}"

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return when Discord is so; the test's time limit ends the wait."""
        while not is_so():
            await self.discord.changed()

    async def barrier(self, text: str = "barrier") -> InboundMessage:
        """Have somebody write elsewhere: what was written before has been read, and begun with."""
        where = self.stage.somewhere()
        await self.discord.says("zoe", where, text, mention=True)
        heard = await self.stage.heard(where)
        assert heard.text == text
        return heard


@asynccontextmanager
async def running(
    directory: Path, *, prepare: Prepare = lambda _: None, env: Mapping[str, str] | None = None
) -> AsyncIterator[Running]:
    """Run a channel while the block lasts, after *prepare* has changed its Discord."""
    made: list[DiscordDriver] = []

    @asynccontextmanager
    async def prepared() -> AsyncIterator[DiscordDriver]:
        async with make_driver() as driver:
            driver.more_env = dict(env or {})
            prepare(driver)
            made.append(driver)
            yield driver

    async with stage(prepared, directory) as own:
        yield Running(own, made[0])


def direct(running: Running) -> Where:
    """Return a direct chat that nobody was in."""
    return Where(Spot.DIRECT, running.stage.somewhere(direct=True).name)
