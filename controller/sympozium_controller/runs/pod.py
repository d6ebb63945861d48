"""The one place where a run's Job and pod are described.

The agent container holds nothing: no token, no key, no network but the bridge.
The bridge alone has the run's bus identity and the model key; a skill alone has
a token for the API server.
"""

from collections.abc import Sequence
from typing import Any

from sympozium.contract.agent import Resources
from sympozium.contract.resources import (
    AGENT_LABEL,
    AGENT_RUNS,
    BUS_AUDIENCE,
    COMPONENT_LABEL,
    EGRESS_CONTAINERS_ANNOTATION,
    GROUP,
    MANAGED_BY_LABEL,
    PART_OF_LABEL,
    REACHES_API_LABEL,
    RUN_LABEL,
    RUN_SERVICE_ACCOUNT,
    RUN_UID_LABEL,
    Object,
)
from sympozium_controller.runs.plan import Plan
from sympozium_controller.runs.view import JOB_SLACK, ROOM_FACTOR, TIMEOUT_ANNOTATION, Run
from sympozium_controller.settings import PodSettings

AGENT_CONTAINER = "agent"
BRIDGE_CONTAINER = "ipc-bridge"
MODEL_PORT = 8001
IPC_DIR = "/ipc"
IPC_SIZE = "512Mi"
"""Room for the files of a run, both ways, and its journals; a run gone wild fills no node."""

IPC_SIZE_IN_MEMORY = "320Mi"
"""What fills it is told so before it has used up the memory of the container that writes."""

BUS_TOKEN_DIR = "/var/run/secrets/sympozium/bus"  # noqa: S105 - a path
API_TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path
MODEL_KEY_DIR = "/var/run/secrets/sympozium/model"
MODEL_KEY = "OPENAI_API_KEY"
"""Key of the Secret, and name of the bridge's variable."""

TOKEN_LIFE_S = 600
"""The kubelet renews a projected token at four fifths of this, and allows no less.

Source: validateServiceAccountTokenProjection in pkg/apis/core/validation of Kubernetes
"""

NONROOT_UID = 65532
TERMINATION_GRACE_S = 10

MODEL_ANNOTATION = f"{GROUP}/model"
"""On the Job: the name of the model that the run uses, for its status."""

API_SKILLS = frozenset({"cluster-reader"})
"""Skills that read the API server; each has a ServiceAccount of its own name."""

# Requests of cpu are a floor for a busy node: a run is 80 ms of processor time, all containers
# together (docs/decisions/0011), and waits for its model the rest of the time.
_AGENT_DEFAULTS = Resources(requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "512Mi"})
_SIDECAR_DEFAULTS = Resources(requests={"cpu": "10m", "memory": "48Mi"}, limits={"memory": "256Mi"})
_BRIDGE_WITH_FILES = Resources(requests=_SIDECAR_DEFAULTS.requests, limits={"memory": "384Mi"})
"""Files in memory count as memory of who wrote them: the bridge writes all that people send."""

_NOT_SAID = Resources()

NODE_AWAY_S = 30
"""How long a run stays bound to a node of which nothing is heard, once the cluster says so.

By default it is five minutes, and somebody waits in a chat; a kubelet is back in seconds.
"""


def skill_service_account(skill: str) -> str:
    """Name the identity of run pods that have *skill*."""
    return f"{RUN_SERVICE_ACCOUNT}-{skill}"


def run_service_account(skills: tuple[str, ...]) -> str:
    """Name the identity of a run pod with *skills*: no rights, unless one needs the API."""
    needing = [skill for skill in skills if skill in API_SKILLS]
    return skill_service_account(needing[0]) if needing else RUN_SERVICE_ACCOUNT


def build_job(
    run: Run, plan: Plan, settings: PodSettings, host_aliases: Sequence[Object] | None = None
) -> Object:
    """Describe the Job of *run*. The same run and plan always give the same Job.

    *host_aliases* are all the names that its pod knows; None: it asks the cluster's DNS.
    """
    labels = {
        MANAGED_BY_LABEL: "sympozium",
        PART_OF_LABEL: "sympozium",
        COMPONENT_LABEL: "run",
        AGENT_LABEL: run.spec.agent_ref,
        RUN_LABEL: run.name,
    }
    spec: Object = {
        "backoffLimit": 0,
        "activeDeadlineSeconds": int((ROOM_FACTOR * plan.timeout + JOB_SLACK).total_seconds()),
        "podReplacementPolicy": "Failed",
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "Ignore",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                }
            ]
        },
        "template": {
            "metadata": {
                "labels": {**labels, **_reach(plan)},
                "annotations": {EGRESS_CONTAINERS_ANNOTATION: _egress_containers(plan)},
            },
            "spec": _pod_spec(run, plan, settings, host_aliases),
        },
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": run.name,
            "namespace": run.namespace,
            "labels": {**labels, RUN_UID_LABEL: run.uid},
            "annotations": {
                MODEL_ANNOTATION: plan.model.model,
                TIMEOUT_ANNOTATION: str(int(plan.timeout.total_seconds())),
            },
            "ownerReferences": [
                {
                    "apiVersion": AGENT_RUNS.api_version,
                    "kind": AGENT_RUNS.kind,
                    "name": run.name,
                    "uid": run.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": spec,
    }


def _reach(plan: Plan) -> dict[str, str]:
    needs_api = any(skill in API_SKILLS for skill in plan.skills)
    return {REACHES_API_LABEL: "true"} if needs_api else {}


def _egress_containers(plan: Plan) -> str:
    return ",".join([BRIDGE_CONTAINER, *(_skill_container_name(skill) for skill in plan.skills)])


def _skill_container_name(skill: str) -> str:
    return f"skill-{skill}"


def _pod_spec(
    run: Run, plan: Plan, settings: PodSettings, host_aliases: Sequence[Object] | None
) -> Object:
    volumes: list[Object] = [
        {"name": "ipc", "emptyDir": _shared_volume(settings)},
        {"name": "bus-token", "projected": {"sources": [_token(BUS_AUDIENCE)]}},
    ]
    if any(skill in API_SKILLS for skill in plan.skills):
        volumes.append({"name": "api-token", "projected": {"sources": _api_sources()}})
    if plan.model.auth_secret_ref:
        volumes.append({"name": "model-key", "secret": _model_key(plan.model.auth_secret_ref)})
    sidecars = [_bridge(run, plan, settings, counts_blocked=host_aliases is not None)]
    sidecars += [_skill(run, skill, plan, settings) for skill in plan.skills]
    return {
        "restartPolicy": "Never",
        "serviceAccountName": run_service_account(plan.skills),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": TERMINATION_GRACE_S,
        "securityContext": pod_security(),
        "tolerations": [_for_a_while("not-ready"), _for_a_while("unreachable")],
        "initContainers": sidecars,
        "containers": [_agent(run, plan, settings)],
        "volumes": volumes,
        **_names(host_aliases),
    }


def _shared_volume(settings: PodSettings) -> Object:
    if settings.volume_in_memory:
        return {"medium": "Memory", "sizeLimit": IPC_SIZE_IN_MEMORY}
    return {"sizeLimit": IPC_SIZE}


def _names(host_aliases: Sequence[Object] | None) -> Object:
    if host_aliases is None:
        return {}
    nobody = {"nameservers": ["127.0.0.1"]}  # who asks is told so at once
    return {"hostAliases": list(host_aliases), "dnsPolicy": "None", "dnsConfig": nobody}


def _for_a_while(condition: str) -> Object:
    return {
        "key": f"node.kubernetes.io/{condition}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": NODE_AWAY_S,
    }


def _agent(run: Run, plan: Plan, settings: PodSettings) -> Object:
    return {
        **_container(AGENT_CONTAINER, "sympozium_agent.agent", settings),
        "env": [
            *_shared_env(run, settings),
            _env("SYMPOZIUM_MODEL_URL", f"http://127.0.0.1:{MODEL_PORT}/v1"),
            _env("SYMPOZIUM_MODEL_IDLE_TIMEOUT_S", str(settings.model_idle_timeout_s)),
            # Files with an answer need somebody who is shown it.
            *([_env("SYMPOZIUM_ATTACHMENTS", "yes")] if run.spec.source is not None else []),
        ],
        "volumeMounts": [{"name": "ipc", "mountPath": IPC_DIR}],
        "resources": _resources(_AGENT_DEFAULTS, plan, plan.resources),
    }


def _bridge(run: Run, plan: Plan, settings: PodSettings, *, counts_blocked: bool) -> Object:
    pod_uid = {"fieldRef": {"fieldPath": "metadata.uid"}}
    env = [
        *_shared_env(run, settings),
        {"name": "SYMPOZIUM_POD_UID", "valueFrom": pod_uid},
        _env("SYMPOZIUM_NATS_URL", settings.nats_url),
        _env("SYMPOZIUM_NATS_TOKEN_FILE", f"{BUS_TOKEN_DIR}/token"),
        _env("SYMPOZIUM_MODEL_PORT", str(MODEL_PORT)),
        _env("SYMPOZIUM_MODEL_BASE_URL", plan.model_url),
        _env("SYMPOZIUM_MODEL", plan.model.model),
        _env("SYMPOZIUM_MODEL_IDLE_TIMEOUT_S", str(settings.model_idle_timeout_s)),
        # A pod that asks for no names sends no datagram for a reason.
        *([_env("SYMPOZIUM_COUNT_BLOCKED", "yes")] if counts_blocked else []),
    ]
    mounts: list[Object] = [
        {"name": "ipc", "mountPath": IPC_DIR},
        {"name": "bus-token", "mountPath": BUS_TOKEN_DIR, "readOnly": True},
    ]
    if plan.model.auth_secret_ref:
        key = {"name": plan.model.auth_secret_ref, "key": MODEL_KEY}
        env.append({"name": MODEL_KEY, "valueFrom": {"secretKeyRef": key}})
        env.append(_env("SYMPOZIUM_MODEL_KEY_FILE", f"{MODEL_KEY_DIR}/{MODEL_KEY}"))
        mounts.append({"name": "model-key", "mountPath": MODEL_KEY_DIR, "readOnly": True})
    ours = _BRIDGE_WITH_FILES if settings.volume_in_memory else _SIDECAR_DEFAULTS
    return {
        **_sidecar(BRIDGE_CONTAINER, "sympozium_agent.bridge", settings),
        "resources": _resources(ours, plan),
        "env": env,
        "ports": [{"name": "model", "containerPort": MODEL_PORT}],
        "volumeMounts": mounts,
    }


def _skill(run: Run, skill: str, plan: Plan, settings: PodSettings) -> Object:
    env = [*_shared_env(run, settings), _env("SYMPOZIUM_SKILL", skill)]
    if plan.tools.allow is not None:
        env.append(_env("SYMPOZIUM_TOOLS_ALLOW", ",".join(plan.tools.allow)))
    if plan.tools.deny:
        env.append(_env("SYMPOZIUM_TOOLS_DENY", ",".join(plan.tools.deny)))
    mounts: list[Object] = [
        {"name": "ipc", "mountPath": f"{IPC_DIR}/tools/{skill}", "subPath": f"tools/{skill}"}
    ]
    if skill in API_SKILLS:
        mounts.append({"name": "api-token", "mountPath": API_TOKEN_DIR, "readOnly": True})
        if settings.api_host:
            env.append(_env("KUBERNETES_SERVICE_HOST", settings.api_host))
            env.append(_env("KUBERNETES_SERVICE_PORT", settings.api_port))
    name = _skill_container_name(skill)
    return {
        **_sidecar(name, "sympozium_agent.tool_runner", settings),
        "resources": _resources(_SIDECAR_DEFAULTS, plan),
        "env": env,
        "volumeMounts": mounts,
    }


def _sidecar(name: str, module: str, settings: PodSettings) -> Object:
    return {**_container(name, module, settings), "restartPolicy": "Always"}


def _resources(ours: Resources, plan: Plan, given: Resources = _NOT_SAID) -> Object:
    fitted = plan.bounds.fit(ours, given)
    return {"requests": dict(fitted.requests), "limits": dict(fitted.limits)}


def _container(name: str, module: str, settings: PodSettings) -> Object:
    return {
        "name": name,
        "image": settings.agent_image,
        "imagePullPolicy": settings.pull_policy,
        "command": ["python", "-m", module],
        "securityContext": container_security(),
    }


def pod_security() -> Object:
    """Return what the Pod Security Standard `restricted` asks of a pod, and its one user."""
    return {
        "runAsNonRoot": True,
        "runAsUser": NONROOT_UID,
        "runAsGroup": NONROOT_UID,
        "fsGroup": NONROOT_UID,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """Return what the Pod Security Standard `restricted` asks of a container, and more."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _shared_env(run: Run, settings: PodSettings) -> list[Object]:
    return [
        _env("SYMPOZIUM_RUN_UID", run.uid),
        _env("SYMPOZIUM_RUN_NAME", run.name),
        _env("SYMPOZIUM_NAMESPACE", run.namespace),
        _env("SYMPOZIUM_IPC_DIR", IPC_DIR),
        *(_env(name, value) for name, value in settings.sync_points.items()),
    ]


def _env(name: str, value: str) -> Object:
    return {"name": name, "value": value}


def _token(audience: str) -> Object:
    return {
        "serviceAccountToken": {
            "audience": audience,
            "expirationSeconds": TOKEN_LIFE_S,
            "path": "token",
        }
    }


def _model_key(secret: str) -> Object:
    """Describe the key as a file, which changes with the Secret while the run is at work.

    That there is one is asked for by the environment: a missing volume says less.
    """
    items = [{"key": MODEL_KEY, "path": MODEL_KEY}]
    return {"secretName": secret, "items": items, "optional": True}


def _api_sources() -> list[Any]:
    return [
        {"serviceAccountToken": {"expirationSeconds": TOKEN_LIFE_S, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]
            }
        },
    ]
