"""`doctor`: everything that can be looked at without changing it, and what to do."""

import sys
from typing import TYPE_CHECKING

import typer

from sympozium_local.cli.where import Where

if TYPE_CHECKING:
    from sympozium.chat.checks import Finding
    from sympozium.contract.resources import Object
    from sympozium_local.cli.cluster import Cluster
    from sympozium_local.cli.instance import Instance

STARTING_S = 10.0
"""How long a channel may take to become ready before that is a finding."""


def doctor() -> None:
    """Look at the system and at every bot account; say for each fault what to do.

    Exit code: 0 all is well, 1 something is not, 3 the system does not run.
    """
    from sympozium_local.cli.channels import channel_findings
    from sympozium_local.cli.findings import show_findings
    from sympozium_local.cli.instance import need_instance
    from sympozium_local.cli.target import find_target

    instance = need_instance()
    cluster = find_target(Where()).cluster
    sys.stdout.write("system\n")
    is_good = show_findings(_system_findings(instance))
    sys.stdout.write("agents\n")
    is_good &= show_findings(_agent_findings(cluster))
    for channel in _channels_once_started(cluster):
        metadata = channel["metadata"]
        sys.stdout.write(
            f"channel {metadata['namespace']}/{metadata['name']} ({channel['spec']['type']})\n"
        )
        is_good &= show_findings(channel_findings(cluster, channel))
    raise typer.Exit(0 if is_good else 1)


def _channels_once_started(cluster: "Cluster") -> "list[Object]":
    """Return all channels; those that have only begun are given a moment to become ready."""
    import time

    from sympozium_local.cli.screen import waiting

    deadline = time.monotonic() + STARTING_S
    with waiting("Waiting for channels that start"):
        while True:
            channels: list[Object] = cluster.get("/apis/sympozium.ai/v1alpha1/channels")["items"]
            if all(_is_available(one) for one in channels) or time.monotonic() > deadline:
                return channels
            time.sleep(0.25)


def _is_available(channel: "Object") -> bool:
    conditions = (channel.get("status") or {}).get("conditions") or []
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)


def _system_findings(instance: "Instance") -> "list[Finding]":
    from sympozium.chat.checks import Finding

    told = instance.status()
    found = [Finding("supervisor", True, f"it runs, process {instance.pid}")]
    for program in told.get("programs", ()):
        is_ready = bool(program["pid"] and program.get("ready"))
        text = "ready" if is_ready else "not ready"
        remedy = "" if is_ready else f"see its log: {instance.home.logs}"
        found.append(Finding(program["name"], is_ready, text, remedy))
    return found


def _agent_findings(cluster: "Cluster") -> "list[Finding]":
    from sympozium.chat.checks import Finding

    agents = cluster.get("/apis/sympozium.ai/v1alpha1/agents")["items"]
    if not agents:
        return [Finding("agents", False, "there is none", "apply one with kubectl")]
    found = []
    for agent in agents:
        conditions = (agent.get("status") or {}).get("conditions") or []
        ready: Object = next((one for one in conditions if one["type"] == "Ready"), {})
        is_good = ready.get("status") == "True"
        said = ready.get("message") or ready.get("reason") or "nothing is known of it yet"
        name = f"{agent['metadata']['namespace']}/{agent['metadata']['name']}"
        found.append(Finding(name, is_good, said))
    return found
