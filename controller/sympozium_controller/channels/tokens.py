"""The Secret behind a channel: which keys its platform needs, and whether they are there.

A container is told its tokens when it starts. So that a changed token reaches the
platform without a person who restarts something, the Deployment carries which state
of the Secret it was made from, and is rolled out anew when that changes.
"""

from dataclasses import dataclass

from sympozium.contract.channel import ChannelSpec
from sympozium.contract.names import short_hash
from sympozium.contract.resources import SECRETS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from sympozium_controller.conditions import Verdict


@dataclass(frozen=True)
class Token:
    """A key of a Secret, and the variable in which a channel's container finds it.

    Attributes:
        is_required: Without it the container cannot start; the transport needs it.
    """

    variable: str
    secret: str
    key: str
    is_required: bool = True


@dataclass(frozen=True)
class SecretState:
    """What a channel's Secret is like.

    Attributes:
        version: Stands for its content and says nothing about it; empty: not usable.
        problem: What an operator has to mend, or None.
    """

    version: str = ""
    problem: Verdict | None = None


def secret_of(spec: ChannelSpec) -> str:
    """Return the name of the Secret that a channel is given; empty: none."""
    if spec.type == "web":
        return spec.web.token_secret_ref
    return spec.config_ref.secret if spec.config_ref is not None else ""


def tokens_of(spec: ChannelSpec) -> tuple[Token, ...]:
    """Return the tokens of a channel that we know by name.

    None for a web channel that asks for none, and for a platform of somebody's own.
    """
    secret = secret_of(spec)
    if spec.type == "web":
        return (Token("SYMPOZIUM_WEB_TOKEN", secret, "token"),) if secret else ()
    required = {
        "SLACK_BOT_TOKEN": True,
        "SLACK_APP_TOKEN": spec.slack.transport == "socket",
        "SLACK_SIGNING_SECRET": spec.slack.transport == "http",
        "TELEGRAM_BOT_TOKEN": True,
        "TELEGRAM_WEBHOOK_SECRET": spec.telegram.transport == "webhook",
        "DISCORD_BOT_TOKEN": True,
    }
    own = f"{spec.type.upper()}_"
    return tuple(
        Token(key, secret, key, is_required)
        for key, is_required in required.items()
        if key.startswith(own)
    )


def token_variables(spec: ChannelSpec) -> list[Object]:
    """Describe the environment variables that hold a channel's tokens."""
    return [
        {
            "name": token.variable,
            "valueFrom": {
                "secretKeyRef": {
                    "name": token.secret,
                    "key": token.key,
                    **({} if token.is_required else {"optional": True}),
                }
            },
        }
        for token in tokens_of(spec)
    ]


async def look_at_secret(kube: Kube, namespace: str, spec: ChannelSpec) -> SecretState:
    """Return what the Secret of a channel is like now; nothing of its content is kept.

    Raises:
        UnavailableError: The API server does not say.
    """
    name, tokens = secret_of(spec), tokens_of(spec)
    if not name:
        return SecretState()
    try:
        secret = await kube.get(SECRETS, namespace, name)
    except NotFoundError:
        text = f"Secret {name!r} does not exist in namespace {namespace!r}; create it"
        return SecretState(problem=Verdict("Available", False, "SecretNotFound", text))
    held = secret.get("data") or {}
    missing = [token.key for token in tokens if token.is_required and not held.get(token.key)]
    if missing:
        text = f"Secret {name!r} has no value for {', '.join(missing)}; add it"
        return SecretState(problem=Verdict("Available", False, "SecretIncomplete", text))
    metadata = secret["metadata"]
    return SecretState(version=short_hash(metadata["uid"], metadata["resourceVersion"]))
