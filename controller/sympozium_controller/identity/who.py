"""Who a connection can be, once the API server has vouched for its token."""

import re
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
    """The bridge of one AgentRun, in one pod of it."""

    namespace: str
    uid: RunUid
    pod_name: str
    pod_uid: str


@dataclass(frozen=True)
class OperatorIdentity:
    """A person whom the cluster gave a token for it."""


Identity = RouterIdentity | ChannelIdentity | RunIdentity | OperatorIdentity


_RUN_NAME = re.compile(r"run ([^/ ]+)/([^/ ]+) in pod ([^/ ]+)/([^/ ]+)")


def name_of(identity: Identity) -> str:
    """Name an identity for logs and for the server's connection list."""
    match identity:
        case RouterIdentity():
            return "router"
        case ChannelIdentity(namespace=namespace, channel=channel):
            return f"channel {namespace}/{channel}"
        case RunIdentity(namespace=namespace, uid=uid, pod_name=pod_name, pod_uid=pod_uid):
            return f"run {namespace}/{uid} in pod {pod_name}/{pod_uid}"
        case OperatorIdentity():
            return "operator"


def run_of(name: str) -> RunIdentity | None:
    """Return the run that `name_of` gave this name; None: it is somebody else's."""
    found = _RUN_NAME.fullmatch(name)
    if found is None:
        return None
    namespace, uid, pod_name, pod_uid = found.groups()
    return RunIdentity(namespace, RunUid(uid), pod_name, pod_uid)
