"""`Agent.spec.channels[]`: the Channels that it stands for, owned by the Agent."""

from collections.abc import Iterator

from sympozium.contract.agent import AgentSpec, ChannelShorthand
from sympozium.contract.resources import (
    AGENT_LABEL,
    AGENTS,
    CHANNELS,
    MANAGED_BY_LABEL,
    PART_OF_LABEL,
    Object,
)


def shorthand_name(agent: str, platform: str) -> str:
    """Name the Channel that an Agent's shorthand for *platform* stands for."""
    return f"{agent}-{platform}"


def shorthand_channels(agent: Object, spec: AgentSpec) -> Iterator[Object]:
    """Yield the Channels that an Agent's `channels` stand for."""
    metadata = agent["metadata"]
    for platform, channel in {channel.type: channel for channel in spec.channels}.items():
        wanted = {"type": platform, "agentRef": metadata["name"]}
        yield {
            "apiVersion": CHANNELS.api_version,
            "kind": CHANNELS.kind,
            "metadata": {
                "name": shorthand_name(metadata["name"], platform),
                "namespace": metadata["namespace"],
                "labels": {
                    MANAGED_BY_LABEL: "sympozium",
                    PART_OF_LABEL: "sympozium",
                    AGENT_LABEL: metadata["name"],
                },
                "ownerReferences": [
                    {
                        "apiVersion": AGENTS.api_version,
                        "kind": AGENTS.kind,
                        "name": metadata["name"],
                        "uid": metadata["uid"],
                        "controller": True,
                        "blockOwnerDeletion": False,
                    }
                ],
            },
            "spec": wanted | _tokens(channel),
        }


def _tokens(channel: ChannelShorthand) -> Object:
    return {"configRef": {"secret": channel.config_ref.secret}} if channel.config_ref else {}
