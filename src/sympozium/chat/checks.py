"""What a check of a bot account found: what is right, what is missing, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """A bot account as it is described by a Channel and its Secret.

    Attributes:
        secret: The Secret's data, decoded.
        api_url: `Channel.spec.apiURL`; empty: the platform's own.
        gateway_url: `Channel.spec.gatewayURL`; empty: the platform's own.
        transport: `socket`, `http`, `poll` or `webhook`; empty where there is one only.
        chats: Chats in which the bot is wanted, to see whether it is there.
        command: The slash command that should exist, where the platform has it named.
        public_url: Where the platform calls us, for webhooks.
    """

    secret: Mapping[str, str] = field(repr=False)
    api_url: str = ""
    gateway_url: str = ""
    transport: str = ""
    chats: tuple[str, ...] = ()
    command: str = ""
    public_url: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: What, in a few words: "token", "scope chat:write", "channel C0123".
        text: What is so, in one sentence; no secret.
        remedy: What to do; empty where nothing is wrong.
    """

    about: str
    is_good: bool
    text: str
    remedy: str = ""
