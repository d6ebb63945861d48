"""Bots added by the command line, in the whole system, as the people who write to them see it."""

import asyncio
import importlib
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest

from sympozium.testing.channels.driver import Driver, Seen, Spot, Where
from tests.fixtures.system import ScriptedModel, System

PATIENCE_S = 30.0
TIMES_ASKED = 5
PLATFORMS = ["slack", "telegram", "discord"]

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True)
class Bot:
    """A bot of the running system, and its platform."""

    system: System
    driver: Driver
    name: str

    def somewhere(self) -> Where:
        """Return a channel or group that nobody has been in."""
        return Where(Spot.CHANNEL, name=uuid.uuid4().hex[:8])

    async def sympozium(self, *arguments: str) -> str:
        """Run the command line and return what it says; it must succeed."""
        done = await asyncio.to_thread(self.system.sympozium, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    async def sees(
        self,
        where: Where,
        is_right: Callable[[list[Seen]], bool],
        *,
        patience_s: float = PATIENCE_S,
    ) -> list[Seen]:
        """Return what is seen in a place as soon as it is right."""
        try:
            async with asyncio.timeout(patience_s):
                while not is_right(self.driver.seen(where)):
                    await self._changed()
        except TimeoutError:
            raise AssertionError(f"seen instead: {self.driver.seen(where)}") from None
        return self.driver.seen(where)

    async def _changed(self) -> None:
        try:
            async with asyncio.timeout(0.5):
                await self.driver.changed()
        except TimeoutError:
            return


@pytest.fixture(params=PLATFORMS)
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Driver]]:
    """A stand-in platform."""
    module = importlib.import_module(f"tests.platforms.{request.param}.driver")
    async with module.make_driver() as driver:
        yield str(request.param), driver


@asynccontextmanager
async def added(platform: tuple[str, Driver], system: System, *more: str) -> AsyncIterator[Bot]:
    """Yield a bot that was added by the command line, with *more* options; it is removed after."""
    kind, driver = platform
    name = f"{kind}-{uuid.uuid4().hex[:6]}"
    env = driver.env
    with system.told(env) as known:
        bot = Bot(known, driver, name)
        options = ["--api-url", known.seen_by_pods(env["SYMPOZIUM_API_URL"])]
        if gateway := env.get("SYMPOZIUM_GATEWAY_URL"):
            options += ["--gateway-url", known.seen_by_pods(gateway)]
        await bot.sympozium("channel", "add", kind, "--name", name, *options, *more)
        yield bot
        await bot.sympozium("channel", "remove", name, "--yes")


@pytest.fixture
async def stranger(platform: tuple[str, Driver], system: System) -> AsyncIterator[Bot]:
    """A bot that nobody may talk to yet."""
    async with added(platform, system) as bot:
        yield bot


@pytest.fixture
async def bot(platform: tuple[str, Driver], system: System) -> AsyncIterator[Bot]:
    """A bot that ada may talk to, from its beginning: no router knows it otherwise."""
    _, driver = platform
    async with added(platform, system, "--user", driver.user_id("ada")) as bot:
        yield bot


async def until_let_in(bot: Bot, where: Where) -> list[Seen]:
    """Ask until the router's copy of the channel is the changed one; return what is seen then."""
    for _ in range(TIMES_ASKED):
        await bot.driver.says("ada", where, "which pods run here?", mention=True)
        with suppress(AssertionError):
            return await bot.sees(where, is_told_of_pods, patience_s=PATIENCE_S / TIMES_ASKED)
    raise AssertionError(f"nobody is let in; seen: {bot.driver.seen(where)}")


def is_told_of_pods(seen: list[Seen]) -> bool:
    return any("Running" in one.text for one in seen[1:])


async def test_a_stranger_is_told_a_code_once_and_let_in_with_it(
    stranger: Bot, model: ScriptedModel
) -> None:
    where = stranger.somewhere()
    await stranger.driver.says("ada", where, "let me in", mention=True)
    (told,) = await stranger.sees(where, lambda seen: any("pair" in one.text for one in seen))
    shown = await stranger.sympozium("channel", "show", stranger.name)
    code = shown.rsplit(f"channel pair {stranger.name} ", 1)[1].split()[0]
    assert code in told.text
    await stranger.driver.says("ada", where, "hello?", mention=True)
    await stranger.sympozium("channel", "pair", stranger.name, code)
    seen = await until_let_in(stranger, where)
    assert sum(code in one.text for one in seen) == 1


async def test_a_thread_goes_on_without_naming_the_bot(bot: Bot, model: ScriptedModel) -> None:
    await model.script({"match": "and the second", "answer": "the second is blue"})
    if not bot.driver.traits.has_threads:
        pytest.skip("there are no threads there")
    where = bot.somewhere()
    said = await bot.driver.says("ada", where, "which pods run here?", mention=True)
    await bot.sees(where, lambda seen: any("web" in one.text for one in seen))
    thread = Where(where.spot, where.name, thread=said)
    await bot.driver.says("ada", thread, "and the second one?")
    seen = await bot.sees(where, lambda seen: any("blue" in one.text for one in seen))
    assert {one.in_thread_of for one in seen} == {said}


async def test_stop_ends_the_work_and_says_so(bot: Bot, model: ScriptedModel) -> None:
    await model.script({"match": "long", "answer": "never", "delay_s": 60})
    where = bot.somewhere()
    await bot.driver.says("ada", where, "a long question", mention=True)
    seen = await bot.sees(where, lambda seen: any(one.buttons for one in seen))
    (placeholder,) = [one for one in seen if one.buttons]
    await bot.driver.presses("ada", placeholder.id, placeholder.buttons[0])
    await bot.sees(where, lambda seen: any("cancelled" in one.text for one in seen))


async def test_a_bot_that_is_killed_answers_once(bot: Bot, model: ScriptedModel) -> None:
    await model.script({"match": "slow", "answer": "the slow answer", "delay_s": 2})
    where = bot.somewhere()
    await bot.driver.says("ada", where, "a slow question", mention=True)
    await bot.sees(where, lambda seen: len(seen) == 1)
    pods = await asyncio.to_thread(
        bot.system.kubectl, "get", "pods", "-l", f"sympozium.ai/channel={bot.name}", "-o", "json"
    )
    (pod,) = [
        one for one in json.loads(pods.stdout)["items"] if "containerStatuses" in one["status"]
    ]
    bot.system.kill_container(pod["status"]["containerStatuses"][0]["containerID"])
    seen = await bot.sees(where, lambda seen: any("slow answer" in one.text for one in seen))
    assert sum("slow answer" in one.text for one in seen) == 1


async def test_the_doctor_looks_at_every_bot(bot: Bot) -> None:
    said = await bot.sympozium("channel", "check", bot.name)
    assert "BAD" not in said
    assert (
        f"channel default/{bot.name}"
        in (await asyncio.to_thread(bot.system.sympozium, "doctor")).stdout
    )


def test_tokens_that_are_missing_are_named_after_the_steps_that_give_them(system: System) -> None:
    added = system.sympozium("channel", "add", "discord")
    assert added.returncode == 1
    assert "https://discord.com/developers/applications" in added.stdout
    assert "DISCORD_BOT_TOKEN not set" in added.stderr
    assert len(added.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("add", "irc"), "those that are here are discord, slack, telegram"),
        (("add", "slack", "--agent", "nobody"), "there is no Agent 'nobody'"),
        (("pair", "web", "AAAAAA"), "no open code is that"),
        (("show", "nowhere"), "it is not there"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    system: System, arguments: tuple[str, ...], cause: str
) -> None:
    done = system.sympozium("channel", *arguments)
    assert done.returncode == 1
    assert cause in done.stderr
    assert len(done.stderr.splitlines()) == 1
