"""What the server, and not its clients, says in an object's metadata."""

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from sympozium_local.apiserver import field_errors, name_rules
from sympozium_local.apiserver.builtin_types import check_types
from sympozium_local.apiserver.errors import ApiError, bad_request, conflict, invalid
from sympozium_local.apiserver.field_errors import FieldError
from sympozium_local.apiserver.registry import Served
from sympozium_local.apiserver.request import Call
from sympozium_local.apiserver.resource import Object

Causes = list[tuple[str, str, str]]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_SERVER_OWNED = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "name",
    "namespace",
)
_WITH_GENERATION = frozenset({
    "pods",
    "deployments.apps",
    "replicasets.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "jobs.batch",
    "cronjobs.batch",
    "networkpolicies.networking.k8s.io",
    "ingresses.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "customresourcedefinitions.apiextensions.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "mutatingwebhookconfigurations.admissionregistration.k8s.io",
    "validatingadmissionpolicies.admissionregistration.k8s.io",
    "validatingadmissionpolicybindings.admissionregistration.k8s.io",
})  # fmt: skip
_OBJECT_META = "apimachinery.pkg.apis.meta.v1.ObjectMeta"
MAX_ANNOTATION_BYTES = 256 * 1024


def now_text() -> str:
    """Return the present second as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def name_for(prefix: str, is_taken: Callable[[str], bool]) -> str:
    """Return a free name that starts with *prefix*.

    Five characters collide about once at a thousand names, so a taken one is
    drawn again.

    Raises:
        ApiError: 500, the draws were all taken.
    """
    for _ in range(16):
        name = prefix[:58] + "".join(random.choices(_ALPHABET, k=5))  # noqa: S311 - no secret
        if not is_taken(name):
            return name
    message = f"The server was not able to generate a unique name for {prefix!r}"
    raise ApiError(409, "AlreadyExists", message)


def begin(served: Served, obj: Object, now: str) -> None:
    """Set the metadata of a new object, and drop what only a later write may say.

    Raises:
        ApiError: 500, it says which version it is, as one that is read and written back.
    """
    metadata = obj["metadata"]
    if metadata.pop("resourceVersion", "") not in {None, "", "0"}:
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(field, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now
    if _has_generation(served):
        metadata["generation"] = 1
    if "status" in served.resource.subresources and served.key != "nodes":
        obj.pop("status", None)


def keep(call: Call, old: Object, new: Object) -> None:
    """Put back in *new* whatever this write may not change.

    Raises:
        ApiError: 409, *new* was made from another object or another version of it; 422, a patch
            says that it is another object, or any write that it is being deleted.
    """
    served, subresource = call.served, call.subresource
    metadata, before = new.setdefault("metadata", {}), old["metadata"]
    name = before["name"]
    _require_same_place(metadata, before)
    is_patch = call.verb == "patch"
    if not is_patch and metadata.get("uid", before["uid"]) != before["uid"]:
        why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: "
        raise conflict(served.resource, name, why + before["uid"])
    if metadata.get("resourceVersion", "") not in {"", before["resourceVersion"]}:
        raise conflict(served.resource, name)
    require_valid(served, name, list(_changes_of_fate(metadata, before)))
    metadata["resourceVersion"] = before["resourceVersion"]
    for field in _SERVER_OWNED:
        if field in before:
            metadata[field] = before[field]
        else:
            metadata.pop(field, None)
    new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
    if served.key == "namespaces" and subresource != "finalize":
        _keep_field("spec", old, new)  # only its finalizers, which hold it until it is empty
    if subresource == "status":
        _keep_all_but_status(served, old, new)
    elif "status" in served.resource.subresources:
        _keep_field("status", old, new)


def _changes_of_fate(metadata: Object, before: Object) -> Iterator[tuple[str, str, str]]:
    """Yield what *metadata* says of the object's identity and deletion, and only the server may."""
    for field in ("deletionGracePeriodSeconds", "deletionTimestamp", "uid"):
        value = metadata.get(field)
        if value is not None and value != before.get(field):
            found = field_errors.invalid(f"metadata.{field}", value, "field is immutable")
            yield found.field, found.reason, found.message


def _require_same_place(metadata: Object, before: Object) -> None:
    if metadata.get("name", before["name"]) != before["name"]:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the "
            f"URL ({before['name']})"
        )
    if metadata.get("namespace", before.get("namespace")) != before.get("namespace"):
        raise bad_request(OTHER_NAMESPACE)


OTHER_NAMESPACE = (
    "the namespace of the provided object does not match the namespace sent on the request"
)


def drop_empty(metadata: Object) -> None:
    """Take out what is empty: the real server has no way to keep that apart from nothing."""
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if metadata.get(field, True) in ({}, []):
            del metadata[field]


def _keep_all_but_status(served: Served, old: Object, new: Object) -> None:
    metadata = new["metadata"]
    for field in set(old) | set(new):
        if field not in {"metadata", "status"}:
            _keep_field(field, old, new)
    if served.resource.is_builtin:
        _keep_field("ownerReferences", old["metadata"], metadata)
        return
    managed = metadata.get("managedFields")
    new["metadata"] = dict(old["metadata"])
    if managed is not None:
        new["metadata"]["managedFields"] = managed


def _keep_field(field: str, old: Object, new: Object) -> None:
    if field in old:
        new[field] = old[field]
    else:
        new.pop(field, None)


def is_same(old: Object, new: Object) -> bool:
    """Tell whether a write would change nothing."""
    if any(old.get(field) != new.get(field) for field in {*old, *new} - {"metadata"}):
        return False
    before, after = old["metadata"], new["metadata"]
    return all(
        before.get(field) == after.get(field) for field in {*before, *after} - {"managedFields"}
    )


def advance_generation(served: Served, old: Object, new: Object) -> None:
    """Count the generation up if what is wished for has changed."""
    if not _has_generation(served):
        return
    ignored = {"metadata", "apiVersion", "kind"}
    if "status" in served.resource.subresources:
        ignored.add("status")
    if any(old.get(field) != new.get(field) for field in {*old, *new} - ignored):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _has_generation(served: Served) -> bool:
    return not served.resource.is_builtin or served.key in _WITH_GENERATION


def check(served: Served, obj: Object, old: Object | None) -> Causes:
    """Return what is wrong with the metadata of a custom object, and of finalizers of any."""
    metadata = obj["metadata"]
    wrong: Causes = []
    if old is not None and metadata.get("deletionTimestamp"):
        before = old["metadata"].get("finalizers") or []
        if added := [one for one in metadata.get("finalizers") or [] if one not in before]:
            message = (
                "Forbidden: no new finalizers can be added if the object is being deleted, found "
                f"new finalizers {_as_go(added)}"
            )
            wrong.append(("metadata.finalizers", "FieldValueForbidden", message))
    of_any = (*_check_finalizers(served, metadata), *_check_controllers(metadata))
    wrong += [(one.field, one.reason, one.message) for one in of_any]
    if served.resource.is_builtin:
        return wrong  # the rest is among the rules of built-in kinds
    if old is None or metadata != old["metadata"]:
        wrong += [(one.field, one.reason, one.message) for one in _check_custom(metadata, old)]
    return wrong


_KNOWN_FINALIZERS = frozenset({
    "kubernetes",
    "foregroundDeletion",
    "orphan",
    "customresourcecleanup.apiextensions.k8s.io",
})  # fmt: skip


def _check_finalizers(served: Served, metadata: Object) -> Iterator[FieldError]:
    for index, one in enumerate(metadata.get("finalizers") or ()):
        if not isinstance(one, str):
            return  # its type is said elsewhere
        for why in name_rules.label_key(one):
            yield field_errors.invalid("metadata.finalizers", one, why)
        if served.resource.is_builtin and "/" not in one and one not in _KNOWN_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield field_errors.invalid(f"metadata.finalizers[{index}]", one, why)


def _check_controllers(metadata: Object) -> Iterator[FieldError]:
    owners = metadata.get("ownerReferences") or []
    named = [
        f"{one.get('kind')}/{one.get('name')}"
        for one in owners
        if isinstance(one, dict) and one.get("controller") is True
    ]
    if len(named) > 1:
        why = (
            'Only one reference can have Controller set to true. Found "true" in references for '
            f"{named[0]} and {named[1]}"
        )
        yield field_errors.invalid("metadata.ownerReferences", owners, why)


def warnings(served: Served, obj: Object, old: Object | None) -> list[str]:
    """Return what a client is told of the metadata of a custom object that is accepted."""
    before = (old or {"metadata": {}})["metadata"].get("finalizers") or ()
    added = [one for one in obj["metadata"].get("finalizers") or () if one not in before]
    return [
        f'metadata.finalizers: "{one}": prefer a domain-qualified finalizer name to avoid '
        "accidental conflicts with other finalizer writers"
        for one in added
        if not served.resource.is_builtin and "/" not in one and one not in _KNOWN_FINALIZERS
    ]


def _as_go(texts: list[str]) -> str:
    return f"[]string{{{', '.join(map(field_errors.shown, texts))}}}"


def _check_custom(metadata: Object, old: Object | None) -> list[FieldError]:
    wrong = [
        replace(one, field=f"metadata.{one.field}") for one in check_types(metadata, _OBJECT_META)
    ]
    if wrong:
        return wrong  # what follows relies on types
    if old is None:
        name = metadata["name"]
        whys = name_rules.dns_subdomain(name)
        wrong += [field_errors.invalid("metadata.name", name, why) for why in whys]
    for key, value in (metadata.get("labels") or {}).items():
        found = [(key, why) for why in name_rules.label_key(key)]
        found += [(value, why) for why in name_rules.label_value(value)]
        wrong += [field_errors.invalid("metadata.labels", text, why) for text, why in found]
    annotations = metadata.get("annotations") or {}
    if sum(len(key) + len(value) for key, value in annotations.items()) > MAX_ANNOTATION_BYTES:
        wrong.append(field_errors.too_long("metadata.annotations", MAX_ANNOTATION_BYTES))
    return wrong


def require_valid(served: Served, name: str, causes: Causes) -> None:
    """Refuse an object that breaks rules.

    Raises:
        ApiError: 422, with every cause.
    """
    if causes:
        raise invalid(served.resource, name, causes)
