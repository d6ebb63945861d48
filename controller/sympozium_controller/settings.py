"""What the controller is told by its environment.

| variable | meaning |
|---|---|
| `SYMPOZIUM_NATS_URL` | the bus as we reach it, several servers with commas between; required |
| `SYMPOZIUM_NATS_USER`, `SYMPOZIUM_NATS_PASSWORD` | its own user; unset: none is sent |
| `SYMPOZIUM_NATS_ISSUER_SEED` | nkey seed that signs grants; unset: no one else is admitted |
| `SYMPOZIUM_NATS_REPLICAS` | copies of each stream: 1 on one server, 3 in a cluster |
| `SYMPOZIUM_POD_NATS_URL` | the bus as pods reach it; default: `SYMPOZIUM_NATS_URL` |
| `SYMPOZIUM_POD_NAME` | the pod that this is; a program that is started again in the same pod |
| | takes over at once what its predecessor there led; unset: it waits two seconds |
| `SYMPOZIUM_SYSTEM_NAMESPACE` | where router and controller run; default `sympozium-system` |
| `SYMPOZIUM_IMAGE_AGENT` | image of run pods; default `sympozium/agent:local` |
| `SYMPOZIUM_IMAGE_CHANNEL_<PLATFORM>` | image of the channels of `WEB`, `SLACK`, `TELEGRAM` or |
| | `DISCORD`; default `sympozium/channel-<platform>:local` |
| `SYMPOZIUM_IMAGE_PULL_POLICY` | when nodes pull images of runs and channels: `IfNotPresent`, the |
| | default, `Always` or `Never` |
| `SYMPOZIUM_WEB_HOST` | address that web channels listen on in their pod; default `127.0.0.1` |
| `SYMPOZIUM_RUN_EGRESS` | JSON list of NetworkPolicy egress rules of run pods; default: none |
| `SYMPOZIUM_RUN_DNS` | `yes`, the default: run pods ask the cluster's DNS; `no`: they are told |
| | the addresses of the bus and of their model, and may ask nobody |
| `SYMPOZIUM_RUN_VOLUME` | `Disk`, the default: the files of a run are on its node's disk; |
| | `Memory`: in its memory, where the kernel allows no more than there is room for |
| `SYMPOZIUM_API_EGRESS` | the same of run pods with a skill that reads the API server: what leads |
| | to it, beside the former; default: none |
| `SYMPOZIUM_CHANNEL_EGRESS` | JSON list of NetworkPolicy egress rules that every channel needs: |
| | names and the bus; its platform's are added. Default: none, and no NetworkPolicy of channels |
| `SYMPOZIUM_METRICS_FROM` | JSON list of NetworkPolicy peers that may read `/metrics` of |
| | channels; default: nobody |
| `SYMPOZIUM_TENANT_QUOTA` | JSON object, `spec.hard` of a ResourceQuota: that of every tenant |
| | that has none of its own; default: none |
| `SYMPOZIUM_TENANT_LIMITS` | JSON list, `spec.limits` of a LimitRange: the same for limits |
| `SYMPOZIUM_MODEL_IDLE_TIMEOUT_S` | silence after which a model has timed out; default 30 |
| `SYMPOZIUM_RUNS_KEEP_SUCCESSFUL` | finished AgentRuns kept for each Agent that does not say it |
| `SYMPOZIUM_RUNS_KEEP_FAILED` | itself, by how they ended; default 100 and 100, up to 100000 |
| `SYMPOZIUM_RUNS_KEEP_DAYS` | how long a finished AgentRun is kept at the longest, unless its |
| | `ttlSecondsAfterFinished` says it; default 7 |
| `SYMPOZIUM_MAX_CONCURRENT_RUNS` | runs at work at once, of all namespaces together; |
| | further ones wait in a fair order; 0, the default: as many as there is room for |
| `SYMPOZIUM_MAX_CONCURRENT_RUNS_PER_NAMESPACE` | the same for each namespace |
| `SYMPOZIUM_HEALTH_PORT` | port of `/livez` and `/readyz`; default 8080 |
| `SYMPOZIUM_HEALTH_HOST` | address on which they are served; default: on all |
| `SYMPOZIUM_WEBHOOK_PORT` | port on which the API server asks about new runs, at the address of |
| | `SYMPOZIUM_HEALTH_HOST`; default 0: none, for a cluster without the webhook |
| `SYMPOZIUM_CRASH_AT` and its like | a sync point; heeded here, and passed on to run pods |
| `SYMPOZIUM_LOG_LEVEL` | `DEBUG`, `INFO`, `WARNING` or `ERROR`; default `INFO` |
| `KUBERNETES_SERVICE_HOST`, `KUBERNETES_SERVICE_PORT` | the API server, as the kubelet says |
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sympozium.contract.channel import PLATFORMS
from sympozium.contract.limits import MAX_HISTORY_LIMIT
from sympozium.contract.resources import Object
from sympozium.runtime.reach import VARIABLES
from sympozium.runtime.settings import LOG_LEVELS, Reader
from sympozium_controller.runs.history import HistoryLimits

PULL_POLICIES = ("IfNotPresent", "Always", "Never")


def default_channel_images() -> dict[str, str]:
    """Return the image of each platform's channels, as one machine knows it."""
    return {platform: f"sympozium/channel-{platform}:local" for platform in PLATFORMS}


@dataclass(frozen=True)
class PodSettings:
    """What every pod that we describe has in common.

    Attributes:
        nats_url: The bus as a pod reaches it.
        channel_images: By platform.
        pull_policy: When a node pulls one of our images.
        api_host: The API server as a skill reaches it.
        volume_in_memory: Whether the files of a run are in memory, where the kernel keeps their
            size, or on the node's disk, where the kubelet evicts a pod some time after it.
        run_egress: NetworkPolicy egress rules: what bridges and skills may reach.
        api_egress: The same, further, for runs with a skill that reads the API server.
        channel_egress: The same for channels, beside their platforms; empty: not limited.
        metrics_from: NetworkPolicy peers that may read the metrics of channels.
        sync_points: Variables that have a container of a run die or stop at a sync point.
    """

    nats_url: str
    agent_image: str = "sympozium/agent:local"
    channel_images: Mapping[str, str] = field(default_factory=default_channel_images)
    pull_policy: str = PULL_POLICIES[0]
    web_host: str = "127.0.0.1"
    api_host: str = ""
    api_port: str = ""
    model_idle_timeout_s: int = 30
    volume_in_memory: bool = False
    run_egress: tuple[Object, ...] = ()
    api_egress: tuple[Object, ...] = ()
    channel_egress: tuple[Object, ...] = ()
    metrics_from: tuple[Object, ...] = ()
    sync_points: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BusSettings:
    """How the controller reaches the bus, and how it admits others."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    issuer_seed: str = field(default="", repr=False)
    replicas: int = 1


@dataclass(frozen=True)
class Limits:
    """How many runs may be at work at once; None: as many as there is room for."""

    total: int | None = None
    per_namespace: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True)
class TenantDefaults:
    """What a tenant gets that has nothing of the kind itself.

    Attributes:
        quota: `spec.hard` of a ResourceQuota; empty: none is made.
        limits: `spec.limits` of a LimitRange; empty: none is made.
    """

    quota: Object = field(default_factory=dict)
    limits: tuple[Object, ...] = ()


@dataclass(frozen=True)
class Settings:
    """Everything the controller is told."""

    bus: BusSettings
    pods: PodSettings
    history: HistoryLimits = field(default_factory=HistoryLimits)
    limits: Limits = NO_LIMITS
    tenants: TenantDefaults = field(default_factory=TenantDefaults)
    run_dns: bool = True
    system_namespace: str = "sympozium-system"
    pod_name: str = ""
    health_port: int = 8080
    health_host: str = ""
    webhook_port: int = 0
    log_level: str = "INFO"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read all settings.

    Raises:
        SettingsError: With every variable that is missing or wrong.
    """
    reader = Reader(environ)
    bus = BusSettings(
        url=reader.text("SYMPOZIUM_NATS_URL"),
        user=reader.text("SYMPOZIUM_NATS_USER", ""),
        password=reader.text("SYMPOZIUM_NATS_PASSWORD", ""),
        issuer_seed=reader.text("SYMPOZIUM_NATS_ISSUER_SEED", ""),
        replicas=reader.number("SYMPOZIUM_NATS_REPLICAS", 1, low=1, high=5),
    )
    pods = _pod_settings(reader, bus.url)
    settings = Settings(
        bus=bus,
        pods=pods,
        history=HistoryLimits(
            successful=reader.number(
                "SYMPOZIUM_RUNS_KEEP_SUCCESSFUL", 100, low=0, high=MAX_HISTORY_LIMIT
            ),
            failed=reader.number("SYMPOZIUM_RUNS_KEEP_FAILED", 100, low=0, high=MAX_HISTORY_LIMIT),
            age=timedelta(days=reader.number("SYMPOZIUM_RUNS_KEEP_DAYS", 7, low=1, high=3650)),
        ),
        limits=Limits(
            total=reader.number("SYMPOZIUM_MAX_CONCURRENT_RUNS", 0, low=0, high=1_000_000) or None,
            per_namespace=reader.number(
                "SYMPOZIUM_MAX_CONCURRENT_RUNS_PER_NAMESPACE", 0, low=0, high=1_000_000
            )
            or None,
        ),
        tenants=TenantDefaults(
            quota=reader.parsed(
                "SYMPOZIUM_TENANT_QUOTA", {}, _object, "a JSON object as spec.hard of a quota"
            ),
            limits=reader.parsed(
                "SYMPOZIUM_TENANT_LIMITS", (), _objects, "a JSON list as spec.limits of limits"
            ),
        ),
        run_dns=reader.choice("SYMPOZIUM_RUN_DNS", "yes", ("yes", "no")) == "yes",
        system_namespace=reader.text("SYMPOZIUM_SYSTEM_NAMESPACE", "sympozium-system"),
        pod_name=reader.text("SYMPOZIUM_POD_NAME", ""),
        health_port=reader.number("SYMPOZIUM_HEALTH_PORT", 8080, low=1, high=65535),
        health_host=reader.text("SYMPOZIUM_HEALTH_HOST", ""),
        webhook_port=reader.number("SYMPOZIUM_WEBHOOK_PORT", 0, low=0, high=65535),
        log_level=reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS),
    )
    reader.finish()
    return settings


def _pod_settings(reader: Reader, nats_url: str) -> PodSettings:
    return PodSettings(
        nats_url=reader.text("SYMPOZIUM_POD_NATS_URL", nats_url),
        agent_image=reader.text("SYMPOZIUM_IMAGE_AGENT", "sympozium/agent:local"),
        channel_images={
            platform: reader.text(f"SYMPOZIUM_IMAGE_CHANNEL_{platform.upper()}", image)
            for platform, image in default_channel_images().items()
        },
        pull_policy=reader.choice("SYMPOZIUM_IMAGE_PULL_POLICY", PULL_POLICIES[0], PULL_POLICIES),
        web_host=reader.text("SYMPOZIUM_WEB_HOST", "127.0.0.1"),
        api_host=reader.text("KUBERNETES_SERVICE_HOST", ""),
        api_port=reader.text("KUBERNETES_SERVICE_PORT", ""),
        model_idle_timeout_s=reader.number("SYMPOZIUM_MODEL_IDLE_TIMEOUT_S", 30, low=1, high=3600),
        volume_in_memory=reader.choice("SYMPOZIUM_RUN_VOLUME", "Disk", ("Disk", "Memory"))
        == "Memory",
        run_egress=reader.parsed(
            "SYMPOZIUM_RUN_EGRESS", (), _objects, "a JSON list of NetworkPolicy egress rules"
        ),
        api_egress=reader.parsed(
            "SYMPOZIUM_API_EGRESS", (), _objects, "a JSON list of NetworkPolicy egress rules"
        ),
        channel_egress=reader.parsed(
            "SYMPOZIUM_CHANNEL_EGRESS", (), _objects, "a JSON list of NetworkPolicy egress rules"
        ),
        metrics_from=reader.parsed(
            "SYMPOZIUM_METRICS_FROM", (), _objects, "a JSON list of NetworkPolicy peers"
        ),
        sync_points={name: text for name in VARIABLES if (text := reader.text(name, ""))},
    )


def _object(text: str) -> Object:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(text)
    return value


def _objects(text: str) -> tuple[Object, ...]:
    rules = json.loads(text)
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise ValueError(text)
    return tuple(rules)
