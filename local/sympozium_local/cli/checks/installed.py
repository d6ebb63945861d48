"""What the chart installs: kinds of this version, namespaces as they should be, volumes."""

from collections.abc import Iterator
from typing import Any

from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    TENANT_LABEL,
    Object,
    Resource,
)
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.checks.check import Check, bad, good, warning
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of, system_namespace
from sympozium_local.cli.refusals import INSTALL

APPLY_CRDS = "sympozium crds | kubectl apply --server-side -f -"
POD_SECURITY_LABEL = "pod-security.kubernetes.io/enforce"
DEFAULT_CLASS_ANNOTATION = "storageclass.kubernetes.io/is-default-class"

_CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
_STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False)


def kind_checks(cluster: Cluster) -> Iterator[Check]:
    """Look whether our kinds are there, are served, and have the fields of this version."""
    for wanted in definition_objects():
        name = wanted["metadata"]["name"]
        try:
            found = cluster.get(path_of(CUSTOM_RESOURCE_DEFINITIONS, "", name))
        except NotFoundError:
            yield bad(name, "it is not there", f"install it: {INSTALL}")
            continue
        yield _kind(name, wanted, found)


def _kind(name: str, wanted: Object, found: Object) -> Check:
    conditions = (found.get("status") or {}).get("conditions") or []
    broken = [
        one.get("message", "")
        for one in conditions
        if one["type"] in {"Established", "NamesAccepted"} and one["status"] == "False"
    ]
    if broken:
        return bad(name, f"it is not served: {broken[0]}", "see kubectl describe crd " + name)
    differs = _difference(_schema(wanted), _schema(found), "")
    if differs:
        return bad(
            name, f"it is of another version: {differs}", f"bring it up to date: {APPLY_CRDS}"
        )
    return good(name, "it is of this version")


def _schema(definition: Object) -> Object:
    versions = definition["spec"]["versions"]
    schema: Object = (versions[0].get("schema") or {}).get("openAPIV3Schema") or {}
    return schema


def _difference(wanted: Any, found: Any, path: str) -> str:
    """Return where the schemas differ first; empty where they do not."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            here = f"{path}.{key}" if path else key
            if key == "description":  # words, which change without the rules
                continue
            if key not in found:
                return f"{here} is missing"
            if key not in wanted:
                return f"{here} is not known here"
            if differs := _difference(wanted[key], found[key], here):
                return differs
        return ""
    return "" if wanted == found else f"{path} is another"


def namespace_checks(cluster: Cluster) -> Iterator[Check]:
    """Look which namespaces are tenants, and whether Pod Security is enforced there."""
    listed = cluster.get(path_of(NAMESPACES), labelSelector=f"{TENANT_LABEL}=true")["items"]
    if not listed:
        yield bad(
            "tenants",
            f"no namespace has the label {TENANT_LABEL}=true, so no agent is served",
            f"kubectl label namespace NAME {TENANT_LABEL}=true",
        )
    for namespace in [*listed, cluster.get(path_of(NAMESPACES, "", system_namespace()))]:
        yield _pod_security(namespace["metadata"])


def _pod_security(metadata: Object) -> Check:
    name = metadata["name"]
    level = (metadata.get("labels") or {}).get(POD_SECURITY_LABEL, "")
    if level == "restricted":
        return good(f"namespace {name}", "Pod Security restricted is enforced")
    return warning(
        f"namespace {name}",
        f"Pod Security enforces {level or 'nothing'} there; our pods need no more than restricted",
        f"kubectl label --overwrite namespace {name} {POD_SECURITY_LABEL}=restricted",
    )


def storage_checks(cluster: Cluster) -> Iterator[Check]:
    """Look whether the volumes of the system are bound, and else why they cannot be."""
    claims = cluster.get(path_of(_CLAIMS, system_namespace()))["items"]
    waiting = [one for one in claims if (one.get("status") or {}).get("phase") != "Bound"]
    if claims and not waiting:
        yield good("volumes", f"all {len(claims)} are bound")
        return
    classes = cluster.get(path_of(_STORAGE_CLASSES))["items"]
    defaults = [one["metadata"]["name"] for one in classes if _is_default(one)]
    names = [one["metadata"]["name"] for one in classes]
    for claim in waiting:
        yield _waiting_claim(claim, defaults, names)
    if not claims and not defaults:
        yield warning(
            "storage class",
            "there is no default StorageClass, and the system has no volume here",
            "with the chart's own NATS or PostgreSQL set nats.storage.className and "
            "sessions.postgresql.storage.className",
        )
    elif not claims:
        yield good("storage class", f"{defaults[0]!r} is the default")


def _waiting_claim(claim: Object, defaults: list[str], names: list[str]) -> Check:
    about = f"volume {claim['metadata']['name']}"
    wanted = claim["spec"].get("storageClassName")
    if not wanted and not defaults:
        return bad(
            about,
            "it is not bound: it names no StorageClass, and the cluster has no default",
            f"set storage.className to one of: {', '.join(names) or 'none is there; install one'}",
        )
    if wanted and wanted not in names:
        return bad(
            about,
            f"it is not bound: there is no StorageClass {wanted!r}",
            f"set storage.className to one of: {', '.join(names) or 'none is there; install one'}",
        )
    phase = (claim.get("status") or {}).get("phase", "Pending")
    return bad(
        about,
        f"it is {phase}",
        f"see kubectl -n {system_namespace()} describe pvc {claim['metadata']['name']}",
    )


def _is_default(storage_class: Object) -> bool:
    annotations = storage_class["metadata"].get("annotations") or {}
    return bool(annotations.get(DEFAULT_CLASS_ANNOTATION) == "true")
