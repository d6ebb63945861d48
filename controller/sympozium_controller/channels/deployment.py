"""The one place where a channel's Deployment and identity are described."""

from sympozium.contract.channel import ChannelSpec
from sympozium.contract.envelope import encode
from sympozium.contract.names import short_hash
from sympozium.contract.resources import (
    BUS_AUDIENCE,
    CHANNEL_LABEL,
    CHANNELS,
    COMPONENT_LABEL,
    DEPLOYMENTS,
    GROUP,
    MANAGED_BY_LABEL,
    SERVICE_ACCOUNTS,
    Object,
)
from sympozium_controller.runs.pod import (
    BUS_TOKEN_DIR,
    TOKEN_LIFE_S,
    container_security,
    pod_security,
)
from sympozium_controller.settings import PodSettings

WANTED_ANNOTATION = f"{GROUP}/wanted"
"""Hash of what was applied, so that an unchanged Channel costs no write."""

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


def build_deployment(channel: Object, spec: ChannelSpec, settings: PodSettings) -> Object:
    """Describe the Deployment of a channel. The same Channel always gives the same one."""
    labels = {COMPONENT_LABEL: "channel", CHANNEL_LABEL: channel["metadata"]["name"]}
    deployment: Object = {
        "apiVersion": DEPLOYMENTS.api_version,
        "kind": DEPLOYMENTS.kind,
        "metadata": _metadata(channel),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {MANAGED_BY_LABEL: "sympozium", **labels}},
                "spec": _pod_spec(channel, spec, settings),
            },
        },
    }
    wanted = short_hash(encode(deployment).decode())
    deployment["metadata"]["annotations"] = {WANTED_ANNOTATION: wanted}
    return deployment


def is_as_wanted(held: Object | None, wanted: Object) -> bool:
    """Return whether the Deployment *held* is what was applied for *wanted*."""
    if held is None:
        return False
    annotations = held["metadata"].get("annotations") or {}
    expected: str = wanted["metadata"]["annotations"][WANTED_ANNOTATION]
    return bool(annotations.get(WANTED_ANNOTATION) == expected)


def _metadata(channel: Object) -> Object:
    owner = channel["metadata"]
    return {
        "name": channel_object_name(owner["name"]),
        "namespace": owner["namespace"],
        "labels": {
            MANAGED_BY_LABEL: "sympozium",
            COMPONENT_LABEL: "channel",
            CHANNEL_LABEL: owner["name"],
        },
        "ownerReferences": [
            {
                "apiVersion": CHANNELS.api_version,
                "kind": CHANNELS.kind,
                "name": owner["name"],
                "uid": owner["uid"],
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def _pod_spec(channel: Object, spec: ChannelSpec, settings: PodSettings) -> Object:
    token = {"audience": BUS_AUDIENCE, "expirationSeconds": TOKEN_LIFE_S, "path": "token"}
    return {
        "serviceAccountName": channel_object_name(channel["metadata"]["name"]),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": pod_security(),
        "containers": [_web_container(channel, spec, settings)],
        "volumes": [
            {"name": "bus-token", "projected": {"sources": [{"serviceAccountToken": token}]}}
        ],
    }


def _web_container(channel: Object, spec: ChannelSpec, settings: PodSettings) -> Object:
    metadata = channel["metadata"]
    values = {
        "SYMPOZIUM_CHANNEL_NAMESPACE": metadata["namespace"],
        "SYMPOZIUM_CHANNEL_NAME": metadata["name"],
        "SYMPOZIUM_NATS_URL": settings.nats_url,
        "SYMPOZIUM_NATS_TOKEN_FILE": f"{BUS_TOKEN_DIR}/token",
        "SYMPOZIUM_WEB_HOST": settings.web_host,
        "SYMPOZIUM_WEB_PORT": str(spec.web.port),
    }
    env: list[Object] = [{"name": name, "value": value} for name, value in values.items()]
    if spec.web.token_secret_ref:
        key = {"name": spec.web.token_secret_ref, "key": "token"}
        env.append({"name": "SYMPOZIUM_WEB_TOKEN", "valueFrom": {"secretKeyRef": key}})
    return {
        "name": "channel",
        "image": settings.web_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "sympozium_web"],
        "env": env,
        "ports": [{"name": "web", "containerPort": spec.web.port}],
        "securityContext": container_security(),
        "resources": {
            "requests": {"cpu": "20m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "volumeMounts": [{"name": "bus-token", "mountPath": BUS_TOKEN_DIR, "readOnly": True}],
        "startupProbe": _probe("/livez", period_s=1, failures=60),
        "livenessProbe": _probe("/livez", period_s=10, failures=3),
        "readinessProbe": _probe("/readyz", period_s=5, failures=2),
    }


def _probe(path: str, *, period_s: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "web"},
        "periodSeconds": period_s,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
