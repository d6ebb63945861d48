"""What the tenants have: agents, and channels with their bot accounts."""

import time
from collections.abc import Iterator

from sympozium.contract.resources import AGENTS, CHANNELS, Object
from sympozium_local.cli.checks.check import Check, bad, from_finding, good
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of

STARTING_S = 10.0
"""How long a channel may take to become ready before that is a finding."""

LOOK_EVERY_S = 0.25


def agent_checks(cluster: Cluster, namespace: str) -> Iterator[Check]:
    """Look at the agents of a namespace, or (empty) of all."""
    agents = cluster.get(path_of(AGENTS, namespace))["items"]
    if not agents:
        yield bad("agents", "there is none", "apply one with kubectl")
    for agent in agents:
        conditions = (agent.get("status") or {}).get("conditions") or []
        ready: Object = next((one for one in conditions if one["type"] == "Ready"), {})
        said = ready.get("message") or ready.get("reason") or "nothing is known of it yet"
        name = f"{agent['metadata']['namespace']}/{agent['metadata']['name']}"
        if ready.get("status") == "True":
            yield good(name, said)
        else:
            yield bad(name, said, f"mend that; see kubectl describe agent {name.partition('/')[2]}")


def channels_once_started(cluster: Cluster, namespace: str) -> list[Object]:
    """Return all channels; those that have only begun are given a moment to become ready."""
    deadline = time.monotonic() + STARTING_S
    while True:
        channels: list[Object] = cluster.get(path_of(CHANNELS, namespace))["items"]
        if all(_is_available(one) for one in channels) or time.monotonic() > deadline:
            return channels
        time.sleep(LOOK_EVERY_S)


def channel_checks(cluster: Cluster, channel: Object) -> Iterator[Check]:
    """Look at what a channel says of itself, and its platform of the bot account."""
    from sympozium_local.cli.channels import channel_findings

    found = [from_finding(one) for one in channel_findings(cluster, channel)]
    if not found:
        name = channel["metadata"]["name"]
        yield bad("status", "nothing is known of it yet", f"see kubectl describe channel {name}")
    yield from found


def _is_available(channel: Object) -> bool:
    conditions = (channel.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)
