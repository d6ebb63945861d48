"""What our policies let pass and what they do not, as requests: the same for every server."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from sympozium.contract.resources import (
    AGENT_RUNS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    DEPLOYMENTS,
    JOBS,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    Object,
    Resource,
)
from tests.admission import objects
from tests.admission.calling import CONTROLLER, JOB_CONTROLLER, PERSON, ROUTER

SPACE = "default"
"""The tenant's namespace."""

Edit = Callable[[Object], None]


@dataclass(frozen=True)
class Creation:
    """One create, by whom, and which words refuse it; "": it is allowed."""

    claim: str
    user: str
    resource: Resource
    obj: Object
    refused: str = ""


def edited(obj: Object, edit: Edit) -> Object:
    """Return a copy of *obj* after *edit*."""
    copy = deepcopy(obj)
    edit(copy)
    return copy


def _with_label(key: str, value: str) -> Edit:
    def edit(obj: Object) -> None:
        obj["metadata"].setdefault("labels", {})[key] = value

    return edit


def _plain_pod(name: str = "plain") -> Object:
    containers = [{"name": "main", "image": "x:1"}]
    return {"metadata": {"name": name, "namespace": SPACE}, "spec": {"containers": containers}}


def _template(kind: Resource, marks: Object) -> tuple[Resource, Object]:
    labels = {"app": "x"}
    template = {
        "metadata": {"labels": labels, "annotations": marks},
        "spec": {"containers": [{"name": "main", "image": "x:1"}], "restartPolicy": "Always"},
    }
    spec: Object = {"template": template, "selector": {"matchLabels": labels}}
    if kind is JOBS:
        template["spec"] = {**_plain_pod()["spec"], "restartPolicy": "Never"}
        del spec["selector"]
    return kind, {"metadata": {"name": "theirs", "namespace": SPACE}, "spec": spec}


def _binding(account: str, kind: Resource) -> Object:
    subject = {"kind": "ServiceAccount", "name": account, "namespace": SPACE}
    metadata = {"name": "more"} | ({"namespace": SPACE} if kind.namespaced else {})
    reference = {"apiGroup": ROLES.group, "kind": "ClusterRole", "name": "view"}
    return {"metadata": metadata, "roleRef": reference, "subjects": [subject]}


def _role(**rule: list[str]) -> Object:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} | rule]
    return {"metadata": {"name": "sympozium-skill-theirs"}, "rules": rules}


def _pod_spec(**fields: object) -> Object:
    pod = objects.pod(SPACE, "r")
    pod["spec"] |= fields
    return pod


def _container(name: str, **security: object) -> Object:
    pod = objects.pod(SPACE, "r")
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        if container["name"] == name:
            container["securityContext"] |= security
    return pod


def _privileged() -> Object:
    return _container("agent", privileged=True, allowPrivilegeEscalation=True)


def _agent_mounts(volume: str) -> Object:
    pod = objects.pod(SPACE, "r")
    mount = {"name": volume, "mountPath": "/x"}
    pod["spec"]["containers"][0]["volumeMounts"].append(mount)
    return pod


def _agent_knows_a_secret() -> Object:
    pod = objects.pod(SPACE, "r")
    reference = {"secretKeyRef": {"name": "model", "key": "k"}}
    pod["spec"]["containers"][0]["env"].append({"name": "K", "valueFrom": reference})
    return pod


def _with_host_path() -> Object:
    pod = objects.pod(SPACE, "r")
    pod["spec"]["volumes"].append({"name": "node", "hostPath": {"path": "/"}})
    return pod


RUNS = (
    Creation("a person starts a run", PERSON, AGENT_RUNS, objects.run(SPACE, "a")),
    Creation(
        "the router starts a run for a message", ROUTER, AGENT_RUNS,
        objects.run(SPACE, "a", is_answer=True),
    ),
    Creation(
        "a person starts a run that would answer a message", PERSON, AGENT_RUNS,
        objects.run(SPACE, "a", is_answer=True), "only the router says which message",
    ),
    Creation(
        "a person puts a run into a conversation's queue", PERSON, AGENT_RUNS,
        edited(objects.run(SPACE, "a"), _with_label("sympozium.ai/conversation", "x")),
        "are the router's; leave them out",
    ),
    Creation(
        "a person labels a run as another's pod", PERSON, AGENT_RUNS,
        edited(objects.run(SPACE, "a"), _with_label("sympozium.ai/run", "b")),
        "belongs to Jobs and pods",
    ),
    Creation(
        "a label names another Agent than the run", PERSON, AGENT_RUNS,
        edited(objects.run(SPACE, "a"), _with_label("sympozium.ai/agent", "other")),
        "names another Agent",
    ),
)  # fmt: skip

WORKLOADS = (
    Creation("the controller makes the Job of a run", CONTROLLER, JOBS, objects.job(SPACE, "r")),
    Creation(
        "the Job controller makes the pod of a run", JOB_CONTROLLER, PODS, objects.pod(SPACE, "r")
    ),
    Creation("a person makes a pod of theirs", PERSON, PODS, _plain_pod()),
    Creation(
        "a person makes a Job that passes for a run's", PERSON, JOBS, objects.job(SPACE, "r"),
        "belong to what the controller makes; remove them from this Job",
    ),
    Creation(
        "a person makes a pod that passes for a run's", PERSON, PODS, objects.pod(SPACE, "r"),
        "remove them from this Pod",
    ),
    Creation(
        "a person labels a pod as a run's", PERSON, PODS,
        edited(_plain_pod(), _with_label("sympozium.ai/run", "r")), "remove them from this Pod",
    ),
    Creation(
        "a person has a pod run as a run does", PERSON, PODS,
        edited(_plain_pod(), lambda pod: pod["spec"].update(serviceAccountName="sympozium-run")),
        "remove them from this Pod",
    ),
    Creation(
        "a person has a pod run as a channel does", PERSON, PODS,
        edited(_plain_pod(), lambda pod: pod["spec"].update(serviceAccountName="channel-web")),
        "remove them from this Pod",
    ),
    Creation(
        "a person puts a reserved annotation on a template", PERSON,
        *_template(DEPLOYMENTS, {"sympozium.ai/egress-containers": "main"}),
        "remove them from this Deployment",
    ),
    Creation(
        "a person puts a reserved annotation on a Job's template", PERSON,
        *_template(JOBS, {"sympozium.ai/run": "r"}), "remove them from this Job",
    ),
    Creation(
        "a person has annotations of their own", PERSON, *_template(DEPLOYMENTS, {"a": "b"})
    ),
    Creation(
        "a Job of a person has the Job controller make a pod of a run", JOB_CONTROLLER, PODS,
        edited(objects.pod(SPACE, "r"), lambda pod: pod["metadata"].pop("ownerReferences")),
        "remove them from this Pod",
    ),
)  # fmt: skip

PODS_OF_RUNS = (
    ("the node's network", _pod_spec(hostNetwork=True), "no network, processes or ports"),
    ("the node's processes", _pod_spec(hostPID=True), "no network, processes or ports"),
    ("the node's queues", _pod_spec(hostIPC=True), "no network, processes or ports"),
    ("each other's processes", _pod_spec(shareProcessNamespace=True), "no shared processes"),
    ("the node's files", _with_host_path(), "mounts nothing of its node"),
    (
        "all rights",
        _container("agent", privileged=True, allowPrivilegeEscalation=True),
        "is not privileged",
    ),
    ("more rights", _container("agent", allowPrivilegeEscalation=True), "cannot become so"),
    ("a root to write to", _container("agent", readOnlyRootFilesystem=False), "read-only root"),
    (
        "capabilities",
        _container("ipc-bridge", capabilities={"drop": ["ALL"], "add": ["NET_RAW"]}),
        "adds none",
    ),
    ("to keep capabilities", _container("ipc-bridge", capabilities={}), "drops ALL"),
    ("root", _container("agent", runAsUser=0), "does not run as root"),
    ("maybe root", _container("agent", runAsNonRoot=False), "does not run as root"),
    (
        "every system call",
        _container("agent", seccompProfile={"type": "Unconfined"}),
        "under a seccomp profile",
    ),
    ("another account", _pod_spec(serviceAccountName="default"), "has its own ServiceAccount"),
    ("its token everywhere", _pod_spec(automountServiceAccountToken=True), "only where it is"),
    ("the bridge's token", _agent_mounts("bus-token"), "mounts no token"),
    ("the model's key", _agent_knows_a_secret(), "no Secret or ConfigMap in its environment"),
)
"""What a container of a run might ask for, and which words refuse it, whoever describes the pod."""

RIGHTS = (
    Creation("a skill has a role of its own", PERSON, CLUSTER_ROLES, _role(verbs=["get", "list"])),
    *(
        Creation(
            f"a skill asks for {what}", PERSON, CLUSTER_ROLES, _role(**rule),
            "no skill holds a wildcard",
        )
        for what, rule in (
            ("every verb", {"verbs": ["*"]}),
            ("every kind", {"resources": ["*"]}),
            ("escalate", {"verbs": ["escalate"]}),
            ("bind", {"verbs": ["bind"]}),
            ("impersonate", {"verbs": ["impersonate"]}),
            ("Secrets", {"resources": ["secrets"]}),
            ("tokens", {"resources": ["serviceaccounts/token"]}),
            ("roles", {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}),
        )
    ),
    Creation(
        "a person gives runs another role", PERSON, ROLE_BINDINGS,
        _binding("sympozium-run", ROLE_BINDINGS), "bind your role to another account",
    ),
    Creation(
        "a person gives runs a role in every namespace", PERSON, CLUSTER_ROLE_BINDINGS,
        _binding("sympozium-run-cluster-reader", CLUSTER_ROLE_BINDINGS),
        "bind your role to another account",
    ),
    Creation(
        "a person gives an account of theirs a role", PERSON, ROLE_BINDINGS,
        _binding("theirs", ROLE_BINDINGS),
    ),
)  # fmt: skip

CREATIONS = (
    *RUNS,
    *WORKLOADS,
    *RIGHTS,
    *(
        Creation(f"a pod of a run asks for {what}", JOB_CONTROLLER, PODS, pod, refused)
        for what, pod, refused in PODS_OF_RUNS
    ),
)

RUN_UPDATES: tuple[tuple[str, str, Object, str], ...] = (
    ("a person cancels a run", PERSON, {"cancel": True}, ""),
    ("a person keeps a run's Job", PERSON, {"cleanup": "keep"}, ""),
    ("the router changes the task", ROUTER, {"task": "other"}, ""),
    ("a person changes the task", PERSON, {"task": "other"}, "changed by the router only"),
    ("a person changes the Agent", PERSON, {"agentRef": "other"}, "names another Agent"),
    ("the router changes the model", ROUTER, {"model": {"model": "x"}}, "stay as they were"),
    ("a person takes the timeout away", PERSON, {"timeout": None}, "stay as they were"),
    ("a person sets tools free", PERSON, {"toolPolicy": {"deny": []}}, "stay as they were"),
    (
        "a person makes a run an answer",
        PERSON,
        {"source": objects.run(SPACE, "x", is_answer=True)["spec"]["source"]},
        "stay as they were",
    ),
)
"""Changes of the spec of a run that a person created."""
