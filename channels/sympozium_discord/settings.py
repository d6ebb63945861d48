"""What a Discord channel is told from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sympozium.chat.settings import ChannelSettings, read_channel_settings
from sympozium.runtime.settings import Reader


@dataclass(frozen=True)
class Settings:
    """The channel's settings, checked.

    Attributes:
        channel: What all channels share.
        token: The bot's token.
        gateway_url: Address of the gateway; empty: the platform's own.
    """

    channel: ChannelSettings
    token: str = field(repr=False)
    gateway_url: str = ""


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from environment variables.

    | variable | meaning |
    |---|---|
    | `DISCORD_BOT_TOKEN` | the bot's token; required |
    | `SYMPOZIUM_GATEWAY_URL` | `ws://` or `wss://` address of the gateway; default: Discord's own |

    and those of `sympozium.chat.settings`.

    Raises:
        SettingsError: With every variable that is missing or wrong.
    """
    reader = Reader(environ)
    channel = read_channel_settings(reader)
    token = reader.text("DISCORD_BOT_TOKEN").strip()
    gateway_url = reader.parsed(
        "SYMPOZIUM_GATEWAY_URL", "", _socket_url, "an address that begins with ws:// or wss://"
    )
    reader.finish()
    return Settings(channel=channel, token=token, gateway_url=gateway_url)


def _socket_url(text: str) -> str:
    if not text.startswith(("ws://", "wss://")):
        raise ValueError(text)
    return text
