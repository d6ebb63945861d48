"""Which images there are, where their Dockerfiles are, and what is in each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """One image: its name without registry and tag, and its Dockerfile's folder."""

    name: str
    folder: str


PROGRAMS = (
    Image("sympozium/controller", "controller"),
    Image("sympozium/router", "router"),
    Image("sympozium/agent", "agent_image"),
    Image("sympozium/channel-web", "channels/sympozium_web"),
    Image("sympozium/channel-slack", "channels/sympozium_slack"),
    Image("sympozium/channel-telegram", "channels/sympozium_telegram"),
    Image("sympozium/channel-discord", "channels/sympozium_discord"),
)

SERVERS = (
    Image("sympozium-test/nats", "tests/images/nats"),
    Image("sympozium-test/postgresql", "tests/images/postgresql"),
)
"""For tests where the upstream images cannot be pulled; nobody is meant to install these."""
