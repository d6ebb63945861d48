"""What the Slack channel is told from outside."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sympozium.chat.settings import ChannelSettings, read_channel_settings
from sympozium.runtime.settings import Reader, SettingsError

DEFAULT_PORT = 8401
DEFAULT_COMMAND = "/sympozium"

_COMMAND = re.compile(r"/[a-z0-9_-]{1,31}")


@dataclass(frozen=True)
class Settings:
    """The channel's settings, checked.

    Attributes:
        bot_token: `xoxb-`: everything that the bot does.
        app_token: `xapp-`: opens Socket Mode connections; empty with HTTP.
        signing_secret: By which requests from Slack are known; empty with Socket Mode.
        is_socket: Socket Mode; else the Events API over HTTP.
        port: Where Slack's requests are taken, with HTTP.
        command: The app's slash command, with its `/`.
    """

    channel: ChannelSettings
    bot_token: str = field(repr=False)
    app_token: str = field(default="", repr=False)
    signing_secret: str = field(default="", repr=False)
    is_socket: bool = True
    port: int = DEFAULT_PORT
    command: str = DEFAULT_COMMAND


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from environment variables.

    | variable | meaning |
    |---|---|
    | `SLACK_BOT_TOKEN` | begins with `xoxb-`; required |
    | `SLACK_APP_TOKEN` | begins with `xapp-`; required with `socket` |
    | `SLACK_SIGNING_SECRET` | required with `http` |
    | `SYMPOZIUM_SLACK_TRANSPORT` | `socket` (default) or `http` |
    | `SYMPOZIUM_SLACK_PORT` | with `http`, the port; default 8401 |
    | `SYMPOZIUM_SLACK_COMMAND` | the slash command; default `/sympozium` |

    and those of `read_channel_settings`.

    Raises:
        SettingsError: With every variable that is missing or wrong.
    """
    reader = Reader(environ)
    channel = read_channel_settings(reader)
    is_socket = reader.choice("SYMPOZIUM_SLACK_TRANSPORT", "socket", ("socket", "http")) == "socket"
    settings = Settings(
        channel=channel,
        bot_token=reader.text("SLACK_BOT_TOKEN"),
        app_token=reader.text("SLACK_APP_TOKEN", None if is_socket else ""),
        signing_secret=reader.text("SLACK_SIGNING_SECRET", "" if is_socket else None).strip(),
        is_socket=is_socket,
        port=reader.number("SYMPOZIUM_SLACK_PORT", DEFAULT_PORT, low=1, high=65535),
        command=reader.parsed("SYMPOZIUM_SLACK_COMMAND", DEFAULT_COMMAND, _command, "/word"),
    )
    reader.finish()
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse tokens that cannot be what they are given as; a swapped pair is the usual mistake."""
    problems = [
        f"{name} does not begin with {prefix!r}; {where}"
        for name, value, prefix, where in (
            (
                "SLACK_BOT_TOKEN", settings.bot_token, "xoxb-",
                "take the Bot User OAuth Token of the app's page OAuth & Permissions",
            ),
            (
                "SLACK_APP_TOKEN", settings.app_token, "xapp-",
                "take the App-Level Token of the app's page Basic Information",
            ),
        )
        if value and not value.startswith(prefix)
    ]  # fmt: skip
    if not settings.is_socket and not settings.signing_secret:
        problems.append("SLACK_SIGNING_SECRET is blank; it is required with http")
    if problems:
        raise SettingsError("cannot start: " + "; ".join(problems))


def _command(text: str) -> str:
    if not _COMMAND.fullmatch(text):
        raise ValueError(text)
    return text
