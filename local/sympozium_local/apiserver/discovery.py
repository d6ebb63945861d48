"""What is served: the documents by which clients find kinds, versions and schemas."""

import platform
from collections.abc import Callable, Mapping

from sympozium_local.apiserver import openapi
from sympozium_local.apiserver.registry import Registry, Served
from sympozium_local.apiserver.resource import Object

KUBERNETES_VERSION = ("1", "36", "3")
"""The Kubernetes release whose behaviour is followed."""

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_CUSTOM_VERBS = [
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
]
_CREATE_ONLY = frozenset({
    "tokenreviews.authentication.k8s.io",
    "selfsubjectreviews.authentication.k8s.io",
    "subjectaccessreviews.authorization.k8s.io",
    "selfsubjectaccessreviews.authorization.k8s.io",
    "localsubjectaccessreviews.authorization.k8s.io",
    "selfsubjectrulesreviews.authorization.k8s.io",
})  # fmt: skip
_SUBRESOURCES: Mapping[str, tuple[Object, list[str]]] = {
    "status": ({}, ["get", "patch", "update"]),
    "scale": (
        {"group": "autoscaling", "version": "v1", "kind": "Scale"},
        ["get", "patch", "update"],
    ),
    "log": ({}, ["get"]),
    "exec": ({"kind": "PodExecOptions"}, ["create", "get"]),
    "eviction": ({"group": "policy", "version": "v1", "kind": "Eviction"}, ["create"]),
    "token": (
        {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"},
        ["create"],
    ),
}


def is_create_only(served: Served) -> bool:
    """Tell whether objects of the kind are questions: answered, never stored."""
    return served.key in _CREATE_ONLY


class Discovery:
    """Answers the paths that are about kinds, not objects."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._cache: dict[str, Object | None] = {}
        registry.listen(lambda _key: self._cache.clear())

    def answer(self, path: str) -> Object | None:
        """Return the document at *path*; None: there is none."""
        if path not in self._cache:
            if len(self._cache) > 1_000:  # paths are the client's choice
                self._cache.clear()
            self._cache[path] = self._find(path.strip("/").split("/"))
        return self._cache[path]

    def _find(self, parts: list[str]) -> Object | None:
        routes: dict[tuple[str, int], Callable[[list[str]], Object | None]] = {
            ("api", 1): lambda _: {
                "kind": "APIVersions",
                "versions": ["v1"],
                "serverAddressByClientCIDRs": [],
            },
            ("api", 2): lambda rest: self._resources("", rest[0]),
            ("apis", 1): lambda _: {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [self._group(group) for group in self._groups() if group],
            },
            ("apis", 2): lambda rest: self._one_group(rest[0]),
            ("apis", 3): lambda rest: self._resources(rest[0], rest[1]),
            ("version", 1): lambda _: version(),
            ("openapi", 2): lambda rest: self._openapi_index() if rest == ["v3"] else None,
            ("openapi", 4): lambda rest: self._openapi("", rest[2]) if rest[1] == "api" else None,
            ("openapi", 5): lambda rest: self._openapi(rest[2], rest[3]),
        }
        route = routes.get((parts[0], len(parts)))
        return None if route is None else route(parts[1:])

    def _groups(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for served in self._registry.all():
            versions = groups.setdefault(served.resource.group, [])
            if served.resource.version not in versions:
                versions.append(served.resource.version)
        return groups

    def _group(self, group: str) -> Object:
        versions = [
            {"groupVersion": f"{group}/{version}", "version": version}
            for version in sorted(self._groups()[group], key=_priority)
        ]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _one_group(self, group: str) -> Object | None:
        if not group or group not in self._groups():
            return None
        return {"kind": "APIGroup", "apiVersion": "v1", **self._group(group)}

    def _in_version(self, group: str, version: str) -> list[Served]:
        return [
            one
            for one in self._registry.all()
            if (one.resource.group, one.resource.version) == (group, version)
        ]

    def _resources(self, group: str, version: str) -> Object | None:
        found = self._in_version(group, version)
        if not found:
            return None
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [entry for served in found for entry in _entries(served)],
        }

    def _openapi_index(self) -> Object:
        pairs = {(one.resource.group, one.resource.version) for one in self._registry.all()}
        return openapi.index(sorted(pairs))

    def _openapi(self, group: str, version: str) -> Object | None:
        found = self._in_version(group, version)
        if not found:
            return None
        schemas = {one.resource.kind: one.openapi for one in found if one.openapi is not None}
        return openapi.document(group, version, [one.resource for one in found], schemas)


def version() -> Object:
    """Return the document at /version."""
    major, minor, patch = KUBERNETES_VERSION
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{major}.{minor}.{patch}+sympozium",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "cpython",
        "platform": f"{platform.system().lower()}/{platform.machine()}",
    }


def _entries(served: Served) -> list[Object]:
    resource = served.resource
    entry: Object = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(served),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    entries = [entry]
    for name in sorted(resource.subresources):
        more, verbs = _SUBRESOURCES.get(name, ({}, ["get"]))
        entries.append(
            {
                "name": f"{resource.plural}/{name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                **more,
                "verbs": verbs,
            }
        )
    return entries


def _verbs(served: Served) -> list[str]:
    if is_create_only(served):
        return ["create"]
    if served.key == "namespaces":
        return [verb for verb in _VERBS if verb != "deletecollection"]
    return _VERBS if served.resource.is_builtin else _CUSTOM_VERBS


def _priority(version: str) -> tuple[int, str]:
    """Order versions as clients prefer them: v2, v1, v1beta1, v1alpha1."""
    is_beta, is_alpha = "beta" in version, "alpha" in version
    return (2 if is_alpha else 1 if is_beta else 0), version
