"""Who a connection can be, once the API server has vouched for its token."""

from dataclasses import dataclass

from sympozium.contract.names import RunUid


@dataclass(frozen=True)
class RouterIdentity:
    """Any router."""


@dataclass(frozen=True)
class ChannelIdentity:
    """The program of one Channel."""

    namespace: str
    channel: str


@dataclass(frozen=True)
class RunIdentity:
    """The bridge of one AgentRun."""

    namespace: str
    uid: RunUid


@dataclass(frozen=True)
class OperatorIdentity:
    """A person whom the cluster gave a token for it."""


Identity = RouterIdentity | ChannelIdentity | RunIdentity | OperatorIdentity


def name_of(identity: Identity) -> str:
    """Name an identity for logs and for the server's connection list."""
    match identity:
        case RouterIdentity():
            return "router"
        case ChannelIdentity(namespace=namespace, channel=channel):
            return f"channel {namespace}/{channel}"
        case RunIdentity(namespace=namespace, uid=uid):
            return f"run {namespace}/{uid}"
        case OperatorIdentity():
            return "operator"
