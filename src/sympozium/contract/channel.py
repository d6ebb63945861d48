"""`Channel`: one bot account on one platform, and which agent answers there."""

from typing import Annotated, Literal

import msgspec

from sympozium.contract.conditions import Condition
from sympozium.contract.schema import (
    Duration,
    KubeModel,
    UnsupportedObject,
    described,
    ruled,
)

AVAILABLE = "Available"
"""Type of the condition that says whether a channel's program runs, and why it does not."""

READY = "Ready"
"""Type of the condition that sums the others up; see `contract.ready`."""

CONNECTED = "Connected"
"""Type of the condition that says what a channel says of its platform."""

DELIVERED = "Delivered"
"""Type of the condition that is False while a channel has dead letters; none before its first."""

BOTS = ("slack", "telegram", "discord")
"""The chat platforms whose channels belong to the system."""

PLATFORMS = ("web", *BOTS)
"""All platforms whose channels belong to the system."""

_URL = "^(https?://.+)?$"
_SOCKET_URL = "^(wss?://.+)?$"


class Access(KubeModel, frozen=True, kw_only=True):
    """Who may speak. Nobody who is not named."""

    users: Annotated[
        list[str],
        described("Platform user ids; `*` is everyone whom the platform authenticates."),
    ] = []
    groups: Annotated[
        list[str],
        described(
            "Ids of Discord's roles, or of groups of a platform of one's own, whoever is in them."
        ),
    ] = []
    chats: Annotated[
        list[str],
        described("Platform ids of channels, groups or servers: everyone who writes there."),
    ] = []
    pairing: Annotated[
        bool,
        described(
            "Whether an unknown sender is told a pairing code, with which an operator can "
            "let them in; else only that they may not."
        ),
    ] = True


class ConfigRef(KubeModel, frozen=True, kw_only=True):
    """Where the platform's tokens are."""

    secret: Annotated[str, described("Name of a Secret in the same namespace.", min_length=1)]


class Route(KubeModel, frozen=True, kw_only=True):
    """Another agent for some of the messages. All fields that are set must fit.

    Of several that fit the most specific wins: one with a thread, then one with a
    chat, then one with a user; of equals the first.
    """

    agent_ref: Annotated[
        str, described("Name of the Agent that answers, in the same namespace.", min_length=1)
    ]
    thread: Annotated[str, described("Platform id of a thread or topic.")] = ""
    chat: Annotated[str, described("Platform id of a channel, group or private chat.")] = ""
    user: Annotated[str, described("Platform id of the sender.")] = ""


class Triggers(KubeModel, frozen=True, kw_only=True):
    """Which messages in a channel or group are for the bot. Direct messages always are."""

    channels: Annotated[
        Literal["mention", "all"],
        described("`mention`: those that name the bot or reply to it; `all`: every one."),
    ] = "mention"
    follow_threads: Annotated[
        bool,
        described("Whether a thread that the bot takes part in goes on without naming it."),
    ] = True
    follow_for: Annotated[
        Duration, described("How long after its last message a thread is followed.")
    ] = "24h"
    bots: Annotated[
        list[str],
        described("Platform ids of bots that are heard like people; every other is ignored."),
    ] = []


class WebSettings(KubeModel, frozen=True, kw_only=True):
    """Settings of a web channel."""

    port: Annotated[int, described("TCP port of the page and its API.", ge=1, le=65535)] = 8400
    token_secret_ref: Annotated[
        str,
        described(
            "Name of a Secret whose key `token` callers must present; empty: only programs "
            "of the same machine can reach the port, and none is asked for."
        ),
    ] = ""


class SlackSettings(KubeModel, frozen=True, kw_only=True):
    """Settings of a Slack channel. Its Secret: `SLACK_BOT_TOKEN` and, by transport, more."""

    transport: Annotated[
        Literal["socket", "http"],
        described(
            "`socket`: Socket Mode, needs `SLACK_APP_TOKEN`; `http`: the Events API, needs "
            "`SLACK_SIGNING_SECRET` and a public address that leads to `port`."
        ),
    ] = "socket"
    port: Annotated[int, described("TCP port of the Events API.", ge=1, le=65535)] = 8401
    command: Annotated[
        str, described("The app's slash command.", pattern="^/[a-z0-9_-]{1,31}$")
    ] = "/sympozium"


class TelegramSettings(KubeModel, frozen=True, kw_only=True):
    """Settings of a Telegram channel. Its Secret: `TELEGRAM_BOT_TOKEN`."""

    transport: Annotated[
        Literal["poll", "webhook"],
        described(
            "`poll`: long polling; `webhook`: Telegram calls `webhookURL`, and the Secret "
            "holds `TELEGRAM_WEBHOOK_SECRET`."
        ),
    ] = "poll"
    webhook_url: Annotated[
        str,
        described("Public address that leads to `port`.", pattern="^(https://.+)?$"),
    ] = msgspec.field(default="", name="webhookURL")
    port: Annotated[int, described("TCP port of the webhook.", ge=1, le=65535)] = 8402


class ChannelSpec(KubeModel, frozen=True, kw_only=True):
    """What is wanted of a channel."""

    type: Annotated[
        str,
        described(
            "Platform: `web`, `slack`, `telegram`, `discord`, or one of one's own, whose "
            "program is the module `sympozium_<type>` in `image`."
        ),
        msgspec.Meta(pattern="^[a-z][a-z0-9]{0,30}$"),
    ]
    image: Annotated[
        str, described("Image of the channel's program; empty: the one that belongs to the system.")
    ] = ""
    settings: Annotated[
        dict[str, str],
        described("Environment of the program, for a platform of one's own."),
        ruled(
            "self.all(name, name.matches('^[A-Z][A-Z0-9_]*$') && "
            "!name.startsWith('SYMPOZIUM_CHANNEL') && !name.startsWith('SYMPOZIUM_NATS'))",
            "names are of A-Z 0-9 _ and do not begin with SYMPOZIUM_CHANNEL or SYMPOZIUM_NATS",
        ),
    ] = {}
    agent_ref: Annotated[
        str, described("Name of the Agent that answers, in the same namespace.", min_length=1)
    ]
    config_ref: ConfigRef | None = None
    api_url: Annotated[
        str,
        described(
            "Base address of the platform's API, for every call of this bot; empty: the "
            "platform's own.",
            pattern=_URL,
        ),
    ] = msgspec.field(default="", name="apiURL")
    gateway_url: Annotated[
        str,
        described("Address of Discord's gateway; empty: its own.", pattern=_SOCKET_URL),
    ] = msgspec.field(default="", name="gatewayURL")
    access: Access = Access()
    triggers: Triggers = Triggers()
    routes: list[Route] = []
    agents: Annotated[
        list[str],
        described(
            "Further Agents that people may call by `@name` or choose; those of `agentRef` "
            "and `routes` are among them."
        ),
    ] = []
    models: Annotated[
        list[str], described("Models that people may choose for a conversation; empty: none.")
    ] = []
    mode: Annotated[
        Literal["queue", "collect", "steer", "interrupt"],
        described(
            "What becomes of a message while an earlier one is worked on. `queue`: each in "
            "turn; `collect`: all that wait are answered together; `steer`: it is handed to "
            "the agent at work; `interrupt`: the work is ended, and the new message begins."
        ),
    ] = "queue"
    web: WebSettings = WebSettings()
    slack: SlackSettings = SlackSettings()
    telegram: TelegramSettings = TelegramSettings()
    limits: UnsupportedObject = None


class Pairing(KubeModel, frozen=True, kw_only=True):
    """A person who asked to be let in, and may be by an operator."""

    code: str
    user_id: str
    display_name: str = ""
    expires_at: str


class ChannelStatus(KubeModel, frozen=True, kw_only=True):
    """What is known of a channel.

    The controller writes the condition `Available`, the router `Connected` (what the
    channel says of its platform), `Delivered` (False: messages were given up and wait for
    an operator) and `pairings`. `Ready` is `Available` and not refused by the platform;
    whoever of the two changes something writes it with that.
    """

    observed_generation: int = 0
    conditions: list[Condition] = []
    pairings: list[Pairing] = []
