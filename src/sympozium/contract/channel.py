"""`Channel`: one bot account on one platform, and which agent answers there."""

from typing import Annotated

from sympozium.contract.conditions import Condition
from sympozium.contract.schema import (
    KubeModel,
    UnsupportedList,
    UnsupportedObject,
    described,
    ruled,
)


class Access(KubeModel, frozen=True, kw_only=True):
    """Who may speak. Nobody who is not named."""

    users: Annotated[
        list[str],
        described("Platform user ids; `*` is everyone whom the platform authenticates."),
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


class ChannelSpec(KubeModel, frozen=True, kw_only=True):
    """What is wanted of a channel."""

    type: Annotated[
        str,
        described("Platform."),
        ruled("self == 'web'", "only 'web' is supported yet"),
    ]
    agent_ref: Annotated[
        str, described("Name of the Agent that answers, in the same namespace.", min_length=1)
    ]
    access: Access = Access()
    web: WebSettings = WebSettings()
    config_ref: UnsupportedObject = None
    routes: UnsupportedList = None
    triggers: UnsupportedObject = None
    limits: UnsupportedObject = None


class ChannelStatus(KubeModel, frozen=True, kw_only=True):
    """What the controller knows of a channel."""

    observed_generation: int = 0
    conditions: list[Condition] = []
