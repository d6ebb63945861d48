"""What the Telegram channel is told from outside."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sympozium.chat.settings import ChannelSettings, read_channel_settings
from sympozium.runtime.settings import Reader, SettingsError

PLATFORM_URL = "https://api.telegram.org"
"""Where the Bot API is unless told otherwise. Source: https://core.telegram.org/bots/api"""

DEFAULT_PORT = 8402
POLL = "poll"
WEBHOOK = "webhook"

_TOKEN = re.compile(r"([1-9][0-9]{0,19}):[A-Za-z0-9_-]{3,100}")
_WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")
"""Source: setWebhook allows 1-256 of these; fewer than 16 could be guessed."""


@dataclass(frozen=True)
class Settings:
    """The channel's settings, checked.

    Attributes:
        api_url: Base address of the Bot API, for calls, uploads and downloads.
        webhook_secret: What Telegram presents with every webhook call.
        webhook_url: Public address that leads to `port`; empty when polling.
    """

    channel: ChannelSettings
    token: str = field(repr=False)
    api_url: str = PLATFORM_URL
    transport: str = POLL
    webhook_url: str = ""
    webhook_secret: str = field(default="", repr=False)
    port: int = DEFAULT_PORT

    @property
    def bot_id(self) -> int:
        """Id of the bot, which its token begins with."""
        return int(self.token.partition(":")[0])


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from environment variables.

    | variable | meaning |
    |---|---|
    | `TELEGRAM_BOT_TOKEN` | as BotFather gave it; required |
    | `TELEGRAM_WEBHOOK_SECRET` | 16 to 256 of `A-Z a-z 0-9 _ -`; required for the webhook |
    | `SYMPOZIUM_TELEGRAM_TRANSPORT` | `poll` (default) or `webhook` |
    | `SYMPOZIUM_TELEGRAM_WEBHOOK_URL` | public address that leads to the port |
    | `SYMPOZIUM_TELEGRAM_PORT` | TCP port of the webhook; default 8402 |

    Raises:
        SettingsError: With every variable that is missing or wrong, and no secret.
    """
    reader = Reader(environ)
    channel = read_channel_settings(reader)
    settings = Settings(
        channel=channel,
        token=reader.text("TELEGRAM_BOT_TOKEN").strip(),
        api_url=channel.api_url or PLATFORM_URL,
        transport=reader.choice("SYMPOZIUM_TELEGRAM_TRANSPORT", POLL, (POLL, WEBHOOK)),
        webhook_url=reader.text("SYMPOZIUM_TELEGRAM_WEBHOOK_URL", "").rstrip("/"),
        webhook_secret=reader.text("TELEGRAM_WEBHOOK_SECRET", "").strip(),
        port=reader.number("SYMPOZIUM_TELEGRAM_PORT", DEFAULT_PORT, low=1, high=65535),
    )
    reader.finish()
    problems = list(_problems(settings))
    if problems:
        raise SettingsError("cannot start: " + "; ".join(problems))
    return settings


def is_token(text: str) -> bool:
    """Return whether *text* has the form of a bot's token."""
    return _TOKEN.fullmatch(text) is not None


def hidden_path(secret: str) -> str:
    """Return the last step of the webhook's path: nobody guesses it, and it changes with *secret*.

    So a secret that was replaced shows in the address that Telegram has, and the webhook
    is set again.
    """
    return hashlib.sha256(b"telegram webhook path\0" + secret.encode()).hexdigest()[:40]


def _problems(settings: Settings) -> list[str]:
    problems = []
    if not is_token(settings.token):
        problems.append(
            "TELEGRAM_BOT_TOKEN cannot be used; accepted: the number, the colon and the rest, "
            "as BotFather gave them"
        )
    if settings.transport == WEBHOOK:
        if not _WEBHOOK_SECRET.fullmatch(settings.webhook_secret):
            problems.append(
                "TELEGRAM_WEBHOOK_SECRET cannot be used; accepted: 16 to 256 of A-Z a-z 0-9 _ -"
            )
        if not _is_reachable(settings):
            problems.append(
                f"SYMPOZIUM_TELEGRAM_WEBHOOK_URL is {settings.webhook_url!r}; accepted: an https "
                "address (http too where SYMPOZIUM_API_URL names a server of your own)"
            )
    return problems


def _is_reachable(settings: Settings) -> bool:
    parts = urlsplit(settings.webhook_url)
    schemes = {"https", "http"} if settings.api_url != PLATFORM_URL else {"https"}
    return parts.scheme in schemes and bool(parts.hostname)
