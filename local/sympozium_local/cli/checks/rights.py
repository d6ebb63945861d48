"""Who may what: the caller for the commands, the programs for their work."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    GROUP,
    NAMESPACES,
    TENANT_LABEL,
    Object,
    Resource,
)
from sympozium.kube.errors import ForbiddenError
from sympozium_local.cli.checks.check import Check, bad, good, unknown
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of, system_namespace
from sympozium_local.cli.refusals import EDIT_ROLE, INSTALL, OPERATE_ROLE, VIEW_ROLE
from sympozium_local.cli.target import Target

MANIFESTS = Path(__file__).parents[4] / "helm" / "sympozium" / "rbac"
AT_ONCE = 8
"""Questions to the API server at the same time."""

_SELF_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False
)
_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False
)


@dataclass(frozen=True)
class Right:
    """One thing that somebody may do, in one namespace or (empty) in all."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    @override
    def __str__(self) -> str:
        named = f"{self.resource}.{self.group}" if self.group else self.resource
        named = f"{named} {self.name!r}" if self.name else named
        return f"{self.verb} {named}"

    def attributes(self) -> Object:
        """Return it as a review asks for it."""
        resource, _, sub = self.resource.partition("/")
        found = {
            "verb": self.verb,
            "group": self.group,
            "resource": resource,
            "subresource": sub,
            "namespace": self.namespace,
            "name": self.name,
        }
        return {key: value for key, value in found.items() if value}


def caller_checks(target: Target) -> Iterator[Check]:
    """Look which commands the caller has the rights for."""
    here, system = target.namespace, system_namespace()
    ours = (AGENTS.plural, AGENT_RUNS.plural, CHANNELS.plural)
    groups = {
        "you may look": (
            VIEW_ROLE,
            here,
            [Right("list", GROUP, one, here) for one in ours]
            + [Right("get", "", "pods/log", here)],
        ),
        "you may chat, cancel, add channels": (
            EDIT_ROLE,
            here,
            [
                Right("patch", GROUP, AGENT_RUNS.plural, here),
                Right("create", GROUP, CHANNELS.plural, here),
                Right("create", "", "secrets", here),
                Right("create", "", "pods/portforward", here),
            ],
        ),
        "you may handle dead letters": (
            OPERATE_ROLE,
            system,
            [Right("create", "", "serviceaccounts/token", system, "sympozium-operator")],
        ),
    }
    for about, (role, namespace, wanted) in groups.items():
        refused = _refused(target.cluster, wanted, user="")
        where = f"in namespace {namespace!r}"
        if refused:
            text = f"{where} you may not {', '.join(map(str, refused))}"
            yield unknown(about, text, f"if you need to, ask for the role {role!r} there")
        else:
            yield good(about, where)


def program_right_checks(cluster: Cluster) -> Iterator[Check]:
    """Ask the server whether controller and router may do what the chart means them to.

    A binding that somebody changed, or a tenant whose binding was never made, is found so.
    """
    objects = meant_rights()
    if not objects:
        yield unknown(
            "rights of the programs", f"there is nothing in '{MANIFESTS}' to compare with"
        )
        return
    tenants = _tenants(cluster)
    for program in ("controller", "router"):
        account = f"system:serviceaccount:{system_namespace()}:sympozium-{program}"
        wanted = wanted_rights(objects, program, tenants)
        try:
            refused = _refused(cluster, wanted, user=account)
        except ForbiddenError:
            yield unknown(f"rights of the {program}", "you may not ask what others may")
            continue
        if refused:
            some = ", ".join(f"{one} in {one.namespace or 'all namespaces'}" for one in refused[:5])
            more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
            yield bad(
                f"rights of the {program}",
                f"it may not {some}{more}",
                f"put its roles and bindings back: {INSTALL}",
            )
        else:
            yield good(f"rights of the {program}", f"it has all {len(wanted)} that it needs")


def meant_rights() -> list[Object]:
    """Return the objects with which the chart gives rights; none outside of a checkout."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = sorted(MANIFESTS.glob("*.yaml"))
    documents = [yaml.load_all(file.read_text(), Loader=loader) for file in files]
    return [obj for objects in documents for obj in objects if obj]


def wanted_rights(objects: list[Object], program: str, tenants: list[str]) -> list[Right]:
    """Return the rights that the manifests mean a program to have."""
    names = {
        f"sympozium-{program}": [""],
        f"sympozium-tenant-{program}": tenants,
    }
    found = []
    for obj in objects:
        metadata = obj["metadata"]
        if obj["kind"] == "ClusterRole" and metadata["name"] in names:
            found += _rights_of(obj, names[metadata["name"]])
        elif obj["kind"] == "Role" and metadata["name"] == f"sympozium-{program}":
            found += _rights_of(obj, [system_namespace()])
    return found


def _rights_of(role: Object, namespaces: list[str]) -> list[Right]:
    return [
        Right(verb, group, resource, namespace, name)
        for namespace in namespaces
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    ]


def _tenants(cluster: Cluster) -> list[str]:
    listed = cluster.get(path_of(NAMESPACES), labelSelector=f"{TENANT_LABEL}=true")["items"]
    return [one["metadata"]["name"] for one in listed]


def _refused(cluster: Cluster, wanted: list[Right], *, user: str) -> list[Right]:
    """Return which of *wanted* the server would refuse *user*, or (empty) the caller."""

    def ask(right: Right) -> bool:
        spec: Object = {"resourceAttributes": right.attributes()}
        resource = _SELF_REVIEWS
        if user:
            spec["user"], resource = user, _REVIEWS
            spec["groups"] = [
                "system:serviceaccounts",
                f"system:serviceaccounts:{system_namespace()}",
                "system:authenticated",
            ]
        review = {"apiVersion": resource.api_version, "kind": resource.kind, "spec": spec}
        return bool(cluster.create(path_of(resource), review)["status"].get("allowed"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        allowed = list(pool.map(ask, wanted))
    return [right for right, is_allowed in zip(wanted, allowed, strict=True) if not is_allowed]
