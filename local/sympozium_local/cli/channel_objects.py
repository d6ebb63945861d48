"""A Channel and its Secret: built from what a person says, and read back."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sympozium.chat.checks import Account
from sympozium.contract.channel import PLATFORMS
from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import CHANNELS, SECRETS, TOKENS_CHANGED_ANNOTATION, Object
from sympozium.contract.times import kube_time
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of


@dataclass(frozen=True)
class Wanted:
    """A channel as a person asks for it."""

    name: str
    namespace: str
    platform: str
    agent: str
    transport: str = ""
    users: Sequence[str] = ()
    api_url: str = ""
    gateway_url: str = ""
    webhook_url: str = ""
    image: str = ""
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def secret_name(self) -> str:
        """Name of the Secret that holds its tokens."""
        return f"{self.name}-tokens"

    @property
    def account(self) -> Account:
        """The bot account, to be checked before anything is written."""
        return Account(
            secret=self.tokens,
            api_url=self.api_url,
            gateway_url=self.gateway_url,
            transport=self.transport,
            public_url=self.webhook_url,
        )


def channel_path(namespace: str, name: str = "") -> str:
    """Return the path of a Channel, or of all in a namespace."""
    return path_of(CHANNELS, namespace, name)


def secret_path(namespace: str, name: str) -> str:
    """Return the path of a Secret."""
    return path_of(SECRETS, namespace, name)


def build_secret(wanted: Wanted) -> Object:
    """Describe the Secret with a channel's tokens."""
    data = {key: base64.b64encode(token.encode()).decode() for key, token in wanted.tokens.items()}
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {"name": wanted.secret_name, "namespace": wanted.namespace},
        "type": "Opaque",
        "data": data,
    }


def build_channel(wanted: Wanted) -> Object:
    """Describe the Channel; what a person did not say is left to its defaults."""
    spec: Object = {
        "type": wanted.platform,
        "agentRef": wanted.agent,
        "configRef": {"secret": wanted.secret_name},
    }
    if wanted.image or wanted.platform not in PLATFORMS:
        spec["image"] = wanted.image or f"sympozium/channel-{wanted.platform}:local"
    if wanted.users:
        spec["access"] = {"users": list(wanted.users)}
    if wanted.api_url:
        spec["apiURL"] = wanted.api_url
    if wanted.gateway_url:
        spec["gatewayURL"] = wanted.gateway_url
    if wanted.transport and wanted.platform in PLATFORMS:
        settings = {"transport": wanted.transport}
        if wanted.webhook_url and wanted.platform == "telegram":
            settings["webhookURL"] = wanted.webhook_url
        spec[wanted.platform] = settings
    return {
        "apiVersion": CHANNELS.api_version,
        "kind": CHANNELS.kind,
        "metadata": {
            "name": wanted.name,
            "namespace": wanted.namespace,
            "annotations": {TOKENS_CHANGED_ANNOTATION: kube_time(datetime.now(UTC))},
        },
        "spec": spec,
    }


def read_account(cluster: Cluster, channel: Object) -> Account:
    """Return the bot account that a Channel and its Secret describe.

    Raises:
        PermanentError: The Secret is not there.
    """
    spec, metadata = channel["spec"], channel["metadata"]
    name = (spec.get("configRef") or {}).get("secret", "")
    try:
        secret = cluster.get(secret_path(metadata["namespace"], name))
    except NotFoundError:
        raise PermanentError(
            f"cannot check channel {metadata['name']!r}: there is no Secret {name!r} in namespace "
            f"{metadata['namespace']!r}; `sympozium channel add {spec['type']}` writes one"
        ) from None
    own = spec.get(spec["type"]) or {}
    access = spec.get("access") or {}
    routed = [route["chat"] for route in spec.get("routes") or () if route.get("chat")]
    return Account(
        secret={
            key: base64.b64decode(data).decode(errors="replace").strip()
            for key, data in (secret.get("data") or {}).items()
        },
        api_url=spec.get("apiURL", ""),
        gateway_url=spec.get("gatewayURL", ""),
        transport=own.get("transport", ""),
        chats=tuple(dict.fromkeys([*(access.get("chats") or ()), *routed])),
        command=own.get("command", ""),
        public_url=own.get("webhookURL", ""),
    )
