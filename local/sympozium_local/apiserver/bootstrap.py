"""What is there from the first start: namespaces and the roles that Kubernetes comes with."""

from collections.abc import Iterator, Sequence

from sympozium_local.apiserver.authn import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from sympozium_local.apiserver.objects import Objects
from sympozium_local.apiserver.registry import Registry
from sympozium_local.apiserver.request import Call, User
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import Row

NAMESPACES = ("default", "kube-system", "sympozium-system")

_RBAC = "rbac.authorization.k8s.io"
_ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_PROGRAM = "sympozium-apiserver"
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_SYSTEM = User("system:apiserver", (MASTERS,))

_WORKLOADS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("", ("configmaps", "endpoints", "persistentvolumeclaims", "pods", "serviceaccounts",
          "services")),
    ("apps", ("daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale",
              "statefulsets", "statefulsets/scale")),
    ("batch", ("cronjobs", "jobs")),
    ("networking.k8s.io", ("ingresses", "networkpolicies")),
    ("policy", ("poddisruptionbudgets",)),
    ("coordination.k8s.io", ("leases",)),
)  # fmt: skip
_SEEN: Sequence[tuple[str, tuple[str, ...]]] = (
    ("", ("events", "limitranges", "namespaces", "pods/log", "pods/status", "resourcequotas")),
    ("apps", ("deployments/status", "replicasets/status", "statefulsets/status")),
    ("batch", ("jobs/status",)),
    ("discovery.k8s.io", ("endpointslices",)),
)


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _paths(*paths: str) -> Object:
    return {"nonResourceURLs": list(paths), "verbs": ["get"]}


def _roles() -> Iterator[tuple[str, list[Object], str]]:
    """Yield (name, rules, the label by which they are aggregated into larger roles)."""
    view = [_rule(group, kinds, _READ) for group, kinds in (*_WORKLOADS, *_SEEN)]
    edit = [_rule(group, kinds, _WRITE) for group, kinds in _WORKLOADS]
    edit.append(_rule("", ("secrets",), _ALL_VERBS))
    edit.append(_rule("", ("pods/eviction", "pods/exec", "serviceaccounts/token"), ("create",)))
    edit.append(_rule("", ("serviceaccounts",), ("impersonate",)))
    admin = [_rule(_RBAC, ("rolebindings", "roles"), _ALL_VERBS)]
    admin.append(_rule("authorization.k8s.io", ("localsubjectaccessreviews",), ("create",)))
    yield "system:aggregate-to-view", view, "view"
    yield "system:aggregate-to-edit", edit, "edit"
    yield "system:aggregate-to-admin", admin, "admin"
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    yield "cluster-admin", [everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}], ""
    asks = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
    who = _rule("authentication.k8s.io", ("selfsubjectreviews",), ("create",))
    yield "system:basic-user", [_rule("authorization.k8s.io", asks, ("create",)), who], ""
    documents = ("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*")
    yield "system:discovery", [_paths(*documents)], ""
    health = ("/healthz", "/livez", "/readyz", "/version", "/version/")
    yield "system:public-info-viewer", [_paths(*health)], ""
    reviews = [
        _rule("authentication.k8s.io", ("tokenreviews",), ("create",)),
        _rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",)),
    ]
    yield "system:auth-delegator", reviews, ""
    yield "system:node", [*_node_rules(), *reviews], ""
    yield "system:kube-controller-manager", _controller_rules(), ""


def _node_rules() -> list[Object]:
    return [
        _rule("", ("configmaps", "secrets", "serviceaccounts", "services", "namespaces"), _READ),
        _rule("", ("persistentvolumeclaims",), _READ),
        _rule("", ("pods",), (*_READ, "delete")),
        _rule("", ("pods/status", "nodes", "nodes/status"), (*_ALL_VERBS,)),
        _rule("", ("events",), ("create", "patch", "update")),
        _rule("events.k8s.io", ("events",), ("create", "patch", "update")),
        _rule("", ("serviceaccounts/token", "pods/eviction"), ("create",)),
        _rule("networking.k8s.io", ("networkpolicies",), _READ),
        _rule("coordination.k8s.io", ("leases",), _ALL_VERBS),
    ]


def _controller_rules() -> list[Object]:
    anything = {"apiGroups": ["*"], "resources": ["*"], "verbs": list(_READ)}
    return [
        anything,
        _rule("", ("pods", "events", "configmaps", "endpoints", "services"), _ALL_VERBS),
        _rule("", ("pods/status", "services/status"), ("patch", "update")),
        _rule("events.k8s.io", ("events",), _ALL_VERBS),
        _rule("batch", ("jobs", "jobs/status", "cronjobs", "cronjobs/status"), _ALL_VERBS),
        _rule("apps", ("*",), _ALL_VERBS),
        _rule("discovery.k8s.io", ("endpointslices",), _ALL_VERBS),
        _rule("coordination.k8s.io", ("leases",), _ALL_VERBS),
    ]


_AGGREGATED = {"view": ("view",), "edit": ("view", "edit"), "admin": ("view", "edit", "admin")}
_BINDINGS = (
    ("cluster-admin", "Group", MASTERS),
    ("system:basic-user", "Group", AUTHENTICATED),
    ("system:discovery", "Group", AUTHENTICATED),
    ("system:public-info-viewer", "Group", AUTHENTICATED),
    ("system:public-info-viewer", "Group", UNAUTHENTICATED),
    ("system:node", "Group", "system:nodes"),
    ("system:kube-controller-manager", "User", "system:kube-controller-manager"),
)


def _objects() -> Iterator[tuple[str, Object]]:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    key = f"clusterroles.{_RBAC}"
    for name, rules, part_of in _roles():
        more = {f"{_RBAC}/aggregate-to-{part_of}": "true"} if part_of else {}
        yield key, {"metadata": {"name": name, "labels": {**labels, **more}}, "rules": rules}
    for name, parts in _AGGREGATED.items():
        selectors = [{"matchLabels": {f"{_RBAC}/aggregate-to-{part}": "true"}} for part in parts]
        aggregation = {"clusterRoleSelectors": selectors}
        yield key, {"metadata": {"name": name, "labels": labels}, "aggregationRule": aggregation}
    subjects: dict[str, list[Object]] = {}
    for role, kind, subject in _BINDINGS:
        entry = {"kind": kind, "name": subject, "apiGroup": _RBAC}
        subjects.setdefault(role, []).append(entry)
    for role, bound in subjects.items():
        reference = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role}
        yield (
            f"clusterrolebindings.{_RBAC}",
            {
                "metadata": {"name": role, "labels": labels},
                "roleRef": reference,
                "subjects": bound,
            },
        )


async def restore(objects: Objects, registry: Registry) -> None:
    """Create whatever of it is not there, and give roles back the rules that they lack.

    An object annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone.
    """
    wanted = [("namespaces", {"metadata": {"name": name}}) for name in NAMESPACES]
    for key, obj in (*wanted, *_objects()):
        served, row = registry.stored(key), objects.store.get(key, "", obj["metadata"]["name"])
        if row is not None:
            _complete(objects, row, obj)
        elif served is not None:
            await objects.create(Call(_SYSTEM, "create", served, body=obj, user_agent=_PROGRAM))
    await objects.store.durable()


def _complete(objects: Objects, row: Row, wanted: Object) -> None:
    current = row.object()
    annotations = current["metadata"].get("annotations") or {}
    if annotations.get(_AUTOUPDATE) == "false":
        return
    for field in ("rules", "subjects"):
        found = current.get(field) or []
        missing = [one for one in wanted.get(field, ()) if one not in found]
        if missing:
            objects.adjust(row, lambda obj: obj.update({field: found + missing}))  # noqa: B023
