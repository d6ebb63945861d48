"""The one place where a channel's Deployment and identity are described."""

from sympozium.contract.channel import ChannelSpec
from sympozium.contract.envelope import encode
from sympozium.contract.names import short_hash
from sympozium.contract.resources import (
    BUS_AUDIENCE,
    CHANNEL_LABEL,
    COMPONENT_LABEL,
    DEPLOYMENTS,
    GROUP,
    MANAGED_BY_LABEL,
    NETWORK_POLICIES,
    PART_OF_LABEL,
    SERVICE_ACCOUNTS,
    SERVICES,
    Object,
    Resource,
)
from sympozium_controller.channels.container import build_container, public_ports
from sympozium_controller.channels.network import build_network_policy, build_service
from sympozium_controller.runs.pod import pod_security
from sympozium_controller.settings import PodSettings

WANTED_ANNOTATION = f"{GROUP}/wanted"
"""Hash of what was applied, surroundings included: an unchanged Channel costs no write."""

SECRET_ANNOTATION = f"{GROUP}/secret-version"
"""On a channel's pods: which state of its Secret they were started with; see `tokens`."""

TOKEN_LIFE_S = 3600
"""Of a channel's token for the bus, which the kubelet renews at four fifths of this.

Nobody renews it while the API server is away, and what people write is to be stored then too:
of an hour twelve minutes are left at the least, of a run's ten minutes two.
"""

_CHANNEL_ACCOUNT = "channel-"


def channel_object_name(channel: str) -> str:
    """Name the Deployment and the ServiceAccount of a channel."""
    return _CHANNEL_ACCOUNT + channel


def channel_of_account(service_account: str) -> str | None:
    """Return the channel whose pods have this ServiceAccount, or None."""
    name = service_account.removeprefix(_CHANNEL_ACCOUNT)
    return name if name != service_account else None


def build_service_account(channel: Object) -> Object:
    """Describe the identity of a channel's pods. It holds no right at the API server."""
    return {
        "apiVersion": SERVICE_ACCOUNTS.api_version,
        "kind": SERVICE_ACCOUNTS.kind,
        "metadata": _metadata(channel),
        "automountServiceAccountToken": False,
    }


def build_surroundings(
    channel: Object, spec: ChannelSpec, settings: PodSettings
) -> list[tuple[Resource, Object]]:
    """Describe what a channel's Deployment needs around it, before it is there."""
    metadata, ports = _metadata(channel), public_ports(spec)
    policy = build_network_policy(channel, metadata, spec, settings, list(ports))
    around = [
        (SERVICE_ACCOUNTS, build_service_account(channel)),
        (NETWORK_POLICIES, policy),
        (SERVICES, build_service(channel, metadata, ports)),
    ]
    return [(resource, obj) for resource, obj in around if obj is not None]


def build_deployment(
    channel: Object, spec: ChannelSpec, settings: PodSettings, *, secret_version: str = ""
) -> Object:
    """Describe the Deployment of a channel. The same Channel and Secret always give the same one.

    There is one pod, and the old one ends before the new one starts: a platform
    that hands each event to whoever asks next knows one program a bot.
    """
    annotations = {"annotations": {SECRET_ANNOTATION: secret_version}} if secret_version else {}
    labels = {COMPONENT_LABEL: "channel", CHANNEL_LABEL: channel["metadata"]["name"]}
    made = {MANAGED_BY_LABEL: "sympozium", PART_OF_LABEL: "sympozium"}
    deployment: Object = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": _metadata(channel),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**made, **labels}, **annotations},
                "spec": _pod_spec(channel, spec, settings),
            },
        },
    }
    around = [obj for _, obj in build_surroundings(channel, spec, settings)]
    wanted = short_hash(encode([deployment, *around]).decode())
    deployment["metadata"]["annotations"] = {WANTED_ANNOTATION: wanted}
    return deployment


def is_as_wanted(held: Object | None, wanted: Object) -> bool:
    """Return whether the Deployment *held* is what was applied for *wanted*."""
    if held is None:
        return False
    annotations = held["metadata"].get("annotations") or {}
    expected: str = wanted["metadata"]["annotations"][WANTED_ANNOTATION]
    return bool(annotations.get(WANTED_ANNOTATION) == expected)


def secret_version_of(deployment: Object | None) -> str:
    """Return the state of the Secret that a channel's *deployment* was made from, or ""."""
    if deployment is None:
        return ""
    annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(SECRET_ANNOTATION, ""))


def _metadata(channel: Object) -> Object:
    """Describe whose an object is. It has no owner: it outlives its Channel (see `draining`)."""
    metadata = channel["metadata"]
    return {
        "name": channel_object_name(metadata["name"]),
        "namespace": metadata["namespace"],
        "labels": {
            MANAGED_BY_LABEL: "sympozium",
            PART_OF_LABEL: "sympozium",
            COMPONENT_LABEL: "channel",
            CHANNEL_LABEL: metadata["name"],
        },
    }


def _pod_spec(channel: Object, spec: ChannelSpec, settings: PodSettings) -> Object:
    token = {"audience": BUS_AUDIENCE, "expirationSeconds": TOKEN_LIFE_S, "path": "token"}
    return {
        "serviceAccountName": channel_object_name(channel["metadata"]["name"]),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": pod_security(),
        "containers": [build_container(channel, spec, settings)],
        "volumes": [
            {"name": "bus-token", "projected": {"sources": [{"serviceAccountToken": token}]}}
        ],
    }
