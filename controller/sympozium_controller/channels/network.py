"""How a channel is reached, and what it may reach: its Service and its NetworkPolicy."""

from urllib.parse import urlsplit

from sympozium.contract.channel import ChannelSpec
from sympozium.contract.limits import MAX_NAME_CHARS
from sympozium.contract.names import short_hash
from sympozium.contract.resources import (
    CHANNEL_LABEL,
    COMPONENT_LABEL,
    NETWORK_POLICIES,
    SERVICES,
    Object,
)
from sympozium_controller.settings import PodSettings

_PREFIX = "sympozium-channel-"
_HASH_CHARS = 8

PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
)
PRIVATE_V6 = ("::1/128", "fc00::/7", "fe80::/10", "64:ff9b::/96")
"""Addresses that no platform has: those of clusters, clouds' own services and offices.

Source: https://www.iana.org/assignments/iana-ipv4-special-registry and its IPv6 twin.
"""

HEALTH = "health"
"""Name of the port on which a chat channel answers probes and tells its metrics."""

_HTTPS = 443
_DEFAULT_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}


def service_name(channel: str) -> str:
    """Name the Service of a channel: a DNS label, whatever the length of the channel's name."""
    name = _PREFIX + channel
    if len(name) <= MAX_NAME_CHARS:
        return name
    return f"{name[: MAX_NAME_CHARS - _HASH_CHARS - 1]}-{short_hash(channel)[:_HASH_CHARS]}"


def build_service(channel: Object, metadata: Object, ports: dict[str, int]) -> Object | None:
    """Describe the Service that leads to the *ports* of a channel; None: nobody calls it."""
    if not ports:
        return None
    name = channel["metadata"]["name"]
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": {**metadata, "name": service_name(name)},
        "spec": {
            "type": "ClusterIP",
            "selector": _labels(name),
            "ports": [
                {"name": port, "port": number, "targetPort": port, "protocol": "TCP"}
                for port, number in ports.items()
            ],
        },
    }


def build_network_policy(
    channel: Object, metadata: Object, spec: ChannelSpec, settings: PodSettings, ports: list[str]
) -> Object | None:
    """Describe what may reach a channel, and what it may reach; None: nothing is said of channels.

    Into it leads what it serves to people or to its platform, and the way of whoever may read
    its metrics; out of it lead the bus, names, and the place of its platform.
    """
    if not settings.channel_egress:
        return None
    opened: list[Object] = (
        [{"ports": [{"protocol": "TCP", "port": port} for port in ports]}] if ports else []
    )
    if settings.metrics_from and spec.type != "web":  # which has none
        health = [{"protocol": "TCP", "port": HEALTH}]
        opened.append({"from": list(settings.metrics_from), "ports": health})
    return {
        "apiVersion": NETWORK_POLICIES.api_version,
        "kind": NETWORK_POLICIES.kind,
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": _labels(channel["metadata"]["name"])},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": opened,
            "egress": [*settings.channel_egress, *_to_platform(spec)],
        },
    }


def _to_platform(spec: ChannelSpec) -> list[Object]:
    """Return the rules that lead to a channel's platform: to the internet, on its port.

    A server that somebody runs in the place of the platform may be anywhere, and a
    policy cannot name it: its port is open to every address.
    """
    if spec.type == "web":
        return []
    own = {port for url in (spec.api_url, spec.gateway_url) if (port := _port_of(url))}
    public = [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}},
        {"ipBlock": {"cidr": "::/0", "except": list(PRIVATE_V6)}},
    ]
    rules: list[Object] = [{"to": public, "ports": [{"protocol": "TCP", "port": _HTTPS}]}]
    return rules + [{"ports": [{"protocol": "TCP", "port": port}]} for port in sorted(own)]


def _port_of(url: str) -> int | None:
    if not url:
        return None
    parts = urlsplit(url)
    return parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _labels(channel: str) -> dict[str, str]:
    return {COMPONENT_LABEL: "channel", CHANNEL_LABEL: channel}
