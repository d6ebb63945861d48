"""The way to a web channel: its address here, or through the API server, and its token."""

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import (
    CHANNEL_LABEL,
    CHANNELS,
    COMPONENT_LABEL,
    SECRETS,
    Object,
)
from sympozium.kube.errors import ForbiddenError, NotFoundError
from sympozium_local.cli.paths import path_of
from sympozium_local.cli.target import Target

TOKEN_VARIABLE = "SYMPOZIUM_WEB_TOKEN"  # noqa: S105 - the name of a variable
DEFAULT_PORT = 8400
LOCAL_CHANNEL, LOCAL_NAMESPACE = "web", "default"


@dataclass(frozen=True)
class WebDoor:
    """Where a web channel answers, and what it asks for.

    Attributes:
        host: The name under which the channel knows itself; empty: that of the address.
    """

    url: str
    token: str = field(default="", repr=False)
    host: str = ""


def door_at(url: str) -> WebDoor:
    """Return the way to a web channel whose address a person knows."""
    return WebDoor(url, _token_of_environment())


@contextmanager
def web_door(target: Target, channel: str = "") -> Iterator[WebDoor]:
    """Yield the way to the web channel of that name, or to the only one of the namespace.

    Raises:
        PermanentError: There is none, or several; or its token cannot be read.
        TransientError: Its pod is not ready.
    """
    instance = target.instance
    if instance and (channel or LOCAL_CHANNEL, target.namespace) == (
        LOCAL_CHANNEL,
        LOCAL_NAMESPACE,
    ):
        yield WebDoor(instance.url, _token_of_environment())
        return
    found = _find_channel(target, channel)
    web = found["spec"].get("web") or {}
    port, token = int(web.get("port") or DEFAULT_PORT), _token(target, found)
    if instance:
        yield WebDoor(f"http://127.0.0.1:{port}", token)
        return
    from sympozium_local.cli.forwarding import PodPort, forwarded
    from sympozium_local.cli.pods import ready_pod

    name = found["metadata"]["name"]
    labels = {COMPONENT_LABEL: "channel", CHANNEL_LABEL: name}

    def find() -> PodPort:
        pod = ready_pod(target.cluster, target.namespace, labels, f"channel {name!r}")
        return PodPort(target.namespace, pod["metadata"]["name"], port)

    with forwarded(target.cluster.endpoint, find) as local_port:
        yield WebDoor(f"http://127.0.0.1:{local_port}", token, f"127.0.0.1:{port}")


def _find_channel(target: Target, name: str) -> Object:
    if name:
        channel = target.cluster.get(path_of(CHANNELS, target.namespace, name))
        if channel["spec"]["type"] != "web":
            raise PermanentError(
                f"cannot chat through channel {name!r}: it is a {channel['spec']['type']} bot; "
                "write to it there, or name a web channel"
            )
        return channel
    listed = target.cluster.get(path_of(CHANNELS, target.namespace))["items"]
    channels: list[Object] = [one for one in listed if one["spec"]["type"] == "web"]
    if len(channels) == 1:
        return channels[0]
    names = ", ".join(one["metadata"]["name"] for one in channels)
    cause = f"namespace {target.namespace!r} has several web channels: {names}"
    remedy = "name one with --channel"
    if not channels:
        cause = f"namespace {target.namespace!r} has no web channel"
        remedy = "name another with -n, or create a Channel of type web"
    raise PermanentError(f"cannot choose a channel: {cause}; {remedy}")


def _token(target: Target, channel: Object) -> str:
    secret = (channel["spec"].get("web") or {}).get("tokenSecretRef", "")
    token = _token_of_environment()
    if token or not secret:
        return token
    try:
        found = target.cluster.get(path_of(SECRETS, target.namespace, secret))
    except (ForbiddenError, NotFoundError) as error:
        raise PermanentError(
            f"cannot read the token of channel {channel['metadata']['name']!r}: {error}; or set "
            f"{TOKEN_VARIABLE} to it"
        ) from None
    return base64.b64decode((found.get("data") or {}).get("token", "")).decode().strip()


def _token_of_environment() -> str:
    return os.environ.get(TOKEN_VARIABLE, "").strip()
