"""The container of a channel: what differs from platform to platform, and what does not."""

from dataclasses import dataclass

from sympozium.contract.channel import PLATFORMS, ChannelSpec
from sympozium.contract.names import short_hash
from sympozium.contract.resources import Object
from sympozium_controller.channels.network import HEALTH
from sympozium_controller.channels.tokens import token_variables
from sympozium_controller.runs.pod import BUS_TOKEN_DIR, container_security
from sympozium_controller.settings import PodSettings

FIRST_HEALTH_PORT = 20000
HEALTH_PORTS = 10000
"""Chat channels answer the kubelet's probes on a port of these.

All channels of one machine share its loopback network, so two may not have the
same; and below the ports that the kernel gives out itself, which begin at 32768.
Source: https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)
"""


@dataclass(frozen=True)
class Listening:
    """What a channel's container is told about its platform, and where it listens.

    Attributes:
        probed: Name of the port that answers `/livez` and `/readyz`.
    """

    variables: dict[str, str]
    ports: dict[str, int]
    probed: str


def health_port(namespace: str, channel: str) -> int:
    """Return the port of a chat channel's probes: always the same one for the same name.

    Of two channels of one machine whose names meet by chance on one number, the
    second does not start and says so; the remedy is another name.
    """
    number = int.from_bytes(short_hash(namespace, channel).encode(), "big")
    return FIRST_HEALTH_PORT + number % HEALTH_PORTS


def build_container(channel: Object, spec: ChannelSpec, settings: PodSettings) -> Object:
    """Describe the one container of a channel's pod."""
    metadata = channel["metadata"]
    listening = _listening(metadata["namespace"], metadata["name"], spec, settings)
    values = {
        "SYMPOZIUM_CHANNEL_NAMESPACE": metadata["namespace"],
        "SYMPOZIUM_CHANNEL_NAME": metadata["name"],
        "SYMPOZIUM_NATS_URL": settings.nats_url,
        "SYMPOZIUM_NATS_TOKEN_FILE": f"{BUS_TOKEN_DIR}/token",
        **listening.variables,
    }
    env: list[Object] = [{"name": name, "value": value} for name, value in values.items()]
    if spec.type != "web":  # which does nothing that one of several alone may do
        field = {"fieldRef": {"fieldPath": "metadata.name"}}
        env.append({"name": "SYMPOZIUM_POD_NAME", "valueFrom": field})
    return {
        "name": "channel",
        "image": spec.image or settings.channel_images[spec.type],
        "imagePullPolicy": settings.pull_policy,
        "command": ["python", "-m", f"sympozium_{spec.type}"],
        "env": [*env, *token_variables(spec)],
        **_whole_secret(spec),
        "ports": [
            {"name": name, "containerPort": number} for name, number in listening.ports.items()
        ],
        "securityContext": container_security(),
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "volumeMounts": [{"name": "bus-token", "mountPath": BUS_TOKEN_DIR, "readOnly": True}],
        "startupProbe": _probe("/livez", listening.probed, period_s=1, failures=60),
        "livenessProbe": _probe("/livez", listening.probed, period_s=10, failures=3),
        "readinessProbe": _probe("/readyz", listening.probed, period_s=5, failures=2),
    }


def _listening(namespace: str, name: str, spec: ChannelSpec, settings: PodSettings) -> Listening:
    if spec.type == "web":
        host, port = settings.web_host, spec.web.port
        variables = {"SYMPOZIUM_WEB_HOST": host, "SYMPOZIUM_WEB_PORT": str(port)}
        return Listening(variables, {"web": port}, "web")
    port = health_port(namespace, name)
    return Listening(
        {**_common(spec, port), **_platform(spec)},
        {HEALTH: port, **public_ports(spec)},
        HEALTH,
    )


def _common(spec: ChannelSpec, port: int) -> dict[str, str]:
    """Return what `sympozium.chat.settings` reads; what is not set is left to its defaults."""
    triggers = spec.triggers
    values = {
        "SYMPOZIUM_HEALTH_PORT": str(port),
        "SYMPOZIUM_TRIGGER": triggers.channels,
        "SYMPOZIUM_FOLLOW_THREADS": "yes" if triggers.follow_threads else "no",
        "SYMPOZIUM_BOTS": ",".join(triggers.bots),
        "SYMPOZIUM_API_URL": spec.api_url,
    }
    return {variable: value for variable, value in values.items() if value}


def _platform(spec: ChannelSpec) -> dict[str, str]:
    match spec.type:
        case "slack":
            return {
                "SYMPOZIUM_SLACK_TRANSPORT": spec.slack.transport,
                "SYMPOZIUM_SLACK_PORT": str(spec.slack.port),
                "SYMPOZIUM_SLACK_COMMAND": spec.slack.command,
            }
        case "telegram":
            url = spec.telegram.webhook_url
            return {
                "SYMPOZIUM_TELEGRAM_TRANSPORT": spec.telegram.transport,
                "SYMPOZIUM_TELEGRAM_PORT": str(spec.telegram.port),
                **({"SYMPOZIUM_TELEGRAM_WEBHOOK_URL": url} if url else {}),
            }
        case "discord":
            return {"SYMPOZIUM_GATEWAY_URL": spec.gateway_url} if spec.gateway_url else {}
        case "web":
            return {}
        case _:
            return spec.settings


def _whole_secret(spec: ChannelSpec) -> Object:
    """Return every key of the Secret as a variable, for a platform whose keys we do not know."""
    if spec.type in PLATFORMS or spec.config_ref is None:
        return {}
    return {"envFrom": [{"secretRef": {"name": spec.config_ref.secret}}]}


def public_ports(spec: ChannelSpec) -> dict[str, int]:
    """Return the ports to which people's or the platform's calls have to be led, by name."""
    if spec.type == "web":
        return {"web": spec.web.port}
    if spec.type == "slack" and spec.slack.transport == "http":
        return {"events": spec.slack.port}
    if spec.type == "telegram" and spec.telegram.transport == "webhook":
        return {"webhook": spec.telegram.port}
    return {}


def _probe(path: str, port: str, *, period_s: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period_s,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
