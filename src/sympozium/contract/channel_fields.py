"""Which fields of a Channel are read for which platform, and the rules that refuse the others.

A field that a platform's channel does not read would be accepted and do nothing: whoever set
it believes that a webhook is called, or that a group is let in. What reads them stands in
`controller/sympozium_controller/channels`, `router/sympozium_router/inbox` and the channels' own
packages; who has one of them read a field for one more platform says so here.
"""

from dataclasses import dataclass

from sympozium.contract.channel import BOTS, PLATFORMS, SlackSettings, TelegramSettings
from sympozium.contract.resources import Object

OWN = "own"
"""Every platform that does not belong to the system."""

EVERY_TYPE = (*PLATFORMS, OWN)
_WITH_A_PLATFORM = (*BOTS, OWN)


@dataclass(frozen=True)
class Use:
    """Which types of channel read a field.

    Attributes:
        field: Its path below `spec`; `[]` is each item of a list.
        otherwise: For whoever set it on another type: why nobody reads it there, and what to do.
    """

    field: str
    types: tuple[str, ...] = EVERY_TYPE
    otherwise: str = ""


USES = (
    Use("agentRef"),
    Use("image"),
    Use("agents"),
    Use("models"),
    Use("mode"),
    Use("access.users"),
    Use("access.chats"),
    Use("access.pairing"),
    Use(
        "access.groups",
        ("discord", OWN),
        "this platform does not tell of which groups a sender is; name users or chats",
    ),
    Use("routes[].chat"),
    Use("routes[].user"),
    Use(
        "routes[].thread",
        _WITH_A_PLATFORM,
        "a web channel has no threads; name a conversation as chat",
    ),
    Use(
        "triggers",
        _WITH_A_PLATFORM,
        "everything that is written to a web channel is for the agent; remove it",
    ),
    Use(
        "configRef",
        _WITH_A_PLATFORM,
        "a web channel has no bot account, and web.tokenSecretRef names the Secret with its "
        "token; remove it",
    ),
    Use("settings", (OWN,), "settings are for a platform of one's own; remove them"),
    Use("apiURL", _WITH_A_PLATFORM, "a web channel calls no platform; remove it"),
    Use("gatewayURL", ("discord",), "it is the address of Discord's gateway; remove it"),
    Use("web", ("web",), "these are settings of a channel of type web; remove them"),
    Use("slack", ("slack",), "these are settings of a channel of type slack; remove them"),
    Use("telegram", ("telegram",), "these are settings of a channel of type telegram; remove them"),
)


def channel_rules() -> tuple[Object, ...]:
    """Return the rules of a Channel's spec that take its type together with its other fields."""
    return (
        *_NEEDED,
        *(_only_where_read(use) for use in USES if use.types != EVERY_TYPE),
        *_BY_TRANSPORT,
    )


def _only_where_read(use: Use) -> Object:
    others = [name for name in PLATFORMS if name not in use.types]
    is_read = f"!(self.type in {others})" if OWN in use.types else f"self.type in {[*use.types]}"
    return {
        "rule": f"{is_read} || {_is_absent(use.field)}",
        "message": use.otherwise,
        "fieldPath": f".{use.field.partition('[')[0]}",
        "reason": "FieldValueForbidden",
    }


def _is_absent(field: str) -> str:
    """Return a rule's expression for a field that is not set. It may be two levels deep."""
    items, _, in_item = field.partition("[].")
    if in_item:
        return f"!has(self.{items}) || self.{items}.all(one, !has(one.{in_item}))"
    parent, _, child = field.partition(".")
    return f"!has(self.{parent})" + (f" || !has(self.{field})" if child else "")


_NEEDED: tuple[Object, ...] = (
    {
        "rule": f"self.type in {list(PLATFORMS)} || has(self.image)",
        "message": "no channel of this type belongs to the system: name its image",
        "fieldPath": ".image",
        "reason": "FieldValueRequired",
    },
    {
        "rule": f"!(self.type in {list(BOTS)}) || has(self.configRef)",
        "message": "a bot needs its tokens: set configRef.secret to a Secret's name",
        "fieldPath": ".configRef",
        "reason": "FieldValueRequired",
    },
)

_BY_TRANSPORT: tuple[Object, ...] = (
    {
        "rule": (
            "!has(self.slack) || self.slack.transport == 'http' || "
            f"self.slack.port == {SlackSettings().port}"
        ),
        "message": "nobody calls this port with the transport socket; remove it",
        "fieldPath": ".slack.port",
        "reason": "FieldValueForbidden",
    },
    {
        "rule": (
            "!has(self.telegram) || self.telegram.transport == 'webhook' || "
            f"self.telegram.port == {TelegramSettings().port}"
        ),
        "message": "nobody calls this port with the transport poll; remove it",
        "fieldPath": ".telegram.port",
        "reason": "FieldValueForbidden",
    },
    {
        "rule": (
            "!has(self.telegram) || self.telegram.transport == 'webhook' || "
            "!has(self.telegram.webhookURL) || self.telegram.webhookURL == ''"
        ),
        "message": "Telegram calls it with the transport webhook only; set that, or remove it",
        "fieldPath": ".telegram.webhookURL",
        "reason": "FieldValueForbidden",
    },
    {
        "rule": (
            "!has(self.telegram) || self.telegram.transport == 'poll' || "
            "(has(self.telegram.webhookURL) && self.telegram.webhookURL != '')"
        ),
        "message": "with the transport webhook Telegram has to be told where to call",
        "fieldPath": ".telegram.webhookURL",
        "reason": "FieldValueRequired",
    },
)
"""A port that is the default may stand there: the API server itself writes it in."""
