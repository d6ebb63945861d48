"""The chat platforms, as the command line asks for them: their tokens, transports and checks."""

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

from sympozium.chat.checks import Account, Finding
from sympozium.contract.errors import PermanentError


@dataclass(frozen=True)
class Token:
    """A credential of a bot account.

    Attributes:
        key: Its key in the Secret, and the environment variable it may be given by.
        title: As the platform's pages call it.
        transports: Those that need it; empty: every one.
    """

    key: str
    title: str
    transports: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlatformInfo:
    """One platform.

    Attributes:
        transports: How it brings messages; the first is the usual one.
    """

    name: str
    title: str
    tokens: tuple[Token, ...]
    transports: tuple[str, ...]

    def tokens_for(self, transport: str) -> tuple[Token, ...]:
        """Return the tokens that a transport needs."""
        return tuple(
            token for token in self.tokens if not token.transports or transport in token.transports
        )


PLATFORMS = {
    info.name: info
    for info in (
        PlatformInfo(
            "slack",
            "Slack",
            (
                Token("SLACK_BOT_TOKEN", "Bot User OAuth Token (xoxb-...)"),
                Token("SLACK_APP_TOKEN", "App-Level Token (xapp-...)", ("socket",)),
                Token("SLACK_SIGNING_SECRET", "Signing Secret", ("http",)),
            ),
            ("socket", "http"),
        ),
        PlatformInfo(
            "telegram",
            "Telegram",
            (
                Token("TELEGRAM_BOT_TOKEN", "token from @BotFather (123456:ABC...)"),
                Token("TELEGRAM_WEBHOOK_SECRET", "webhook secret, of your choice", ("webhook",)),
            ),
            ("poll", "webhook"),
        ),
        PlatformInfo("discord", "Discord", (Token("DISCORD_BOT_TOKEN", "bot token"),), ("",)),
    )
}


def platform_info(name: str) -> PlatformInfo:
    """Return a platform by its name.

    Raises:
        PermanentError: There is none of that name.
    """
    if name not in PLATFORMS:
        raise PermanentError(
            f"cannot add a channel of type {name!r}: the platforms are {', '.join(PLATFORMS)}"
        )
    return PLATFORMS[name]


def setup_steps(info: PlatformInfo, channel: str, transport: str) -> str:
    """Return the exact steps by which a person makes a bot account at the platform."""
    module = importlib.import_module(f"sympozium_{info.name}.setup")
    return cast(str, module.steps(channel, transport=transport))


def check_account(info: PlatformInfo, account: Account) -> list[Finding]:
    """Look at a bot account by calling its platform.

    What the platform answers, also that it does not answer, is among the findings.
    """
    import asyncio

    module = importlib.import_module(f"sympozium_{info.name}.checks")
    check = cast(Callable[[Account], Awaitable[list[Finding]]], module.check_account)

    async def checked() -> list[Finding]:
        return await check(account)

    return asyncio.run(checked())
