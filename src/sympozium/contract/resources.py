"""Kinds of the Kubernetes API that the programs use, and our labels and annotations."""

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""One Kubernetes object as decoded JSON."""

GROUP = "sympozium.ai"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True)
class Resource:
    """What a request's path needs to know of a kind. The core group is ""."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version


AGENTS = Resource(GROUP, VERSION, "agents", "Agent")
AGENT_RUNS = Resource(GROUP, VERSION, "agentruns", "AgentRun")
CHANNELS = Resource(GROUP, VERSION, "channels", "Channel")
SKILL_PACKS = Resource(GROUP, VERSION, "skillpacks", "SkillPack")
POLICIES = Resource(GROUP, VERSION, "sympoziumpolicies", "SympoziumPolicy")
SCHEDULES = Resource(GROUP, VERSION, "sympoziumschedules", "SympoziumSchedule")

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
EVENTS = Resource("", "v1", "events", "Event")
SERVICES = Resource("", "v1", "services", "Service")
ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
LIMIT_RANGES = Resource("", "v1", "limitranges", "LimitRange")
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
JOBS = Resource("batch", "v1", "jobs", "Job")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", namespaced=False
)
CLUSTER_ROLE_BINDINGS = Resource(
    "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
)
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
_ADMISSION = "admissionregistration.k8s.io"
ADMISSION_POLICIES = Resource(
    _ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False
)
ADMISSION_POLICY_BINDINGS = Resource(
    _ADMISSION,
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
VALIDATING_WEBHOOKS = Resource(
    _ADMISSION,
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
TOKEN_REVIEWS = Resource(
    "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False
)

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
PART_OF_LABEL = "app.kubernetes.io/part-of"
"""`sympozium` on everything that the chart or the controller makes."""
TENANT_LABEL = f"{GROUP}/tenant"
"""`true` on a namespace: its agents and channels are served, and no other namespace's are."""
COMPONENT_LABEL = f"{GROUP}/component"
"""`run`, `channel`, `router` or `controller`, on pods and what owns them."""
AGENT_LABEL = f"{GROUP}/agent"
CHANNEL_LABEL = f"{GROUP}/channel"
CONVERSATION_LABEL = f"{GROUP}/conversation"
RUN_LABEL = f"{GROUP}/run"
RUN_UID_LABEL = f"{GROUP}/run-uid"
"""On a Job: of which run it is, whatever others had that run's name."""

REACHES_API_LABEL = f"{GROUP}/reaches-api"
"""`true` on the pod of a run with a skill that reads the API server: it may reach it."""

EGRESS_CONTAINERS_ANNOTATION = f"{GROUP}/egress-containers"
"""Names of a pod's containers that may use what its NetworkPolicy allows, comma-separated.

A NetworkPolicy speaks of pods. The embedded kubelet reads this and leaves every
other container of the pod without any network but its sibling's declared ports.
"""

TOKENS_CHANGED_ANNOTATION = f"{GROUP}/tokens-changed"
"""On a Channel: when its Secret was written; a new value has the Secret looked at at once."""

RUN_SERVICE_ACCOUNT = "sympozium-run"
"""Identity of run pods. It holds no right at the API server; the bus knows it."""

BUS_AUDIENCE = "nats"
"""Audience of the token with which a pod presents itself to the bus."""
