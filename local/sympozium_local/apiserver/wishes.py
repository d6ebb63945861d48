"""What a client wants an object to be: by its body, a patch, or what it applies."""

from dataclasses import replace
from typing import Any

from sympozium_local.apiserver.builtin import unknown_builtin_fields
from sympozium_local.apiserver.errors import ApiError, bad_request, invalid, invalid_options
from sympozium_local.apiserver.fieldsets import DuplicateKeyError
from sympozium_local.apiserver.patches import PatchError, apply_patch, copied
from sympozium_local.apiserver.request import APPLY, Call
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.serverside import NOBODYS, ApplyConflictError, apply, track_update
from sympozium_local.apiserver.shapes import Shape
from sympozium_local.apiserver.store import encode


def take_in(call: Call, obj: Any) -> Object:
    """Return *obj* as an object of the call's kind, without fields that the kind does not have.

    Raises:
        ApiError: 400, it is no such object, or has unknown fields and they are not allowed.
    """
    typed = _typed(call, obj)
    resource, schema = call.served.resource, call.served.schema
    unknown = schema.prune(typed) if schema else unknown_builtin_fields(resource, typed)
    if unknown and call.field_validation == "Strict":
        listed = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: strict decoding error: {listed}"
        )
    if unknown and call.field_validation == "Warn":
        call.warnings += [f'unknown field "{path}"' for path in unknown]
    return typed


def _typed(call: Call, obj: Any) -> Object:
    resource = call.served.resource
    if not isinstance(obj, dict):
        raise bad_request("the object provided is unrecognized: it is no JSON object")
    if not resource.is_builtin:
        _require_kind(call, obj)
    if obj.setdefault("apiVersion", resource.api_version) != resource.api_version:
        raise bad_request(
            f"the API version in the data ({obj['apiVersion']}) does not match the expected "
            f"API version ({resource.api_version})"
        )
    if obj.setdefault("kind", resource.kind) != resource.kind:
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: the kind in the data is {obj['kind']}"
        )
    if obj.get("metadata") is None:
        obj["metadata"] = {}
    if not isinstance(obj["metadata"], dict):
        raise bad_request("the object provided is unrecognized: metadata is no JSON object")
    typed: Object = obj
    return typed


def _require_kind(call: Call, obj: Object) -> None:
    """Refuse a custom object that does not say what it is, as clients of a cluster must."""
    resource = call.served.resource
    if not obj.get("kind"):
        text = encode(obj).decode()
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): "
            f"Object 'Kind' is missing in '{text[:256]}'"
        )
    if obj["kind"] != resource.kind:
        why = f'Invalid value: "{obj["kind"]}": must be {resource.kind}'
        given = replace(resource, kind=obj["kind"])
        metadata = obj.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        raise invalid(given, name, [("kind", "FieldValueInvalid", why)])


def wished(call: Call, old: Object, now: str) -> Any:
    """Return what a replacement or a patch of *old* shall lead to. An apply may change *old*.

    Raises:
        ApiError: 400, 409, 415 or 422.
    """
    if call.verb == "update":
        return _replacement(call)
    if call.content_type == APPLY:
        return applied(call, old, now)
    try:
        return apply_patch(call.content_type, old, call.body, resource=call.served.resource)
    except PatchError as error:
        reasons = {415: "UnsupportedMediaType", 422: "Invalid"}
        reason = reasons.get(error.status, "BadRequest")
        details: Object | None = {} if error.status == 422 else None
        raise ApiError(error.status, reason, str(error), details) from error


def _replacement(call: Call) -> Object:
    new = _typed(call, call.body)
    metadata = new["metadata"]
    _require_name(call, metadata)
    if not call.served.resource.is_builtin and not metadata.get("resourceVersion"):
        why = "Invalid value: 0: must be specified for an update"
        cause = ("metadata.resourceVersion", "FieldValueInvalid", why)
        resource = call.served.resource
        raise invalid(replace(resource, kind=resource.plural), call.name, [cause])
    return new


def applied(call: Call, old: Object | None, now: str) -> Object:
    """Return *old* (None: nothing) with what the call's body applies.

    Raises:
        ApiError: 400, or 409 if others own fields that would change.
    """
    body = _to_apply(call)
    if not call.subresource and "status" in call.served.resource.subresources:
        body = {key: value for key, value in body.items() if key != "status"}
    try:
        new: Object = apply(
            old,
            body,
            manager=call.manager,
            force=call.query.get("force") in {"true", "1"},
            now=now,
            subresource=call.subresource,
            shape=_shape(call),
        )
    except DuplicateKeyError as error:
        raise _untyped(call, [str(error)]) from error
    except ApplyConflictError as error:
        causes = [
            {"reason": "FieldManagerConflict", "message": one.message, "field": one.field}
            for one in error.conflicts
        ]
        raise ApiError(409, "Conflict", str(error), {"causes": causes}) from error
    return new


def _to_apply(call: Call) -> Object:
    """Return the body of an apply, which must say what it is and what it is about.

    Raises:
        ApiError: 400 or 422, and 500 for fields that the kind does not have, as the real server.
    """
    if not call.query.get("fieldManager"):
        why = "Required value: is required for apply patch"
        raise invalid_options("PatchOptions", "fieldManager", "FieldValueRequired", why)
    resource = call.served.resource
    body = call.body
    if not isinstance(body, dict):
        raise bad_request("error decoding YAML: it is no object")
    given = body.get("apiVersion", ""), body.get("kind", "")
    if given != (resource.api_version, resource.kind):
        version = given[0] if "/" in given[0] else f"/{given[0]}"
        raise bad_request(f"invalid object type: {version}, Kind={given[1]}")
    body = _typed(call, body)
    metadata = body["metadata"]
    if metadata.get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    _require_name(call, metadata)
    schema, known = call.served.schema, copied(body)
    unknown = schema.prune(known) if schema else unknown_builtin_fields(resource, known)
    if unknown:
        raise _untyped(call, [f".{path}: field not declared in schema" for path in unknown])
    return body


def _untyped(call: Call, whys: list[str]) -> ApiError:
    resource = call.served.resource
    metadata = call.body["metadata"]
    name = f"{metadata.get('namespace', '')}/{metadata['name']}"
    listed = whys[0] if len(whys) == 1 else "errors:\n  " + "\n  ".join(whys)
    kind = f"{resource.group}/{resource.version}, Kind={resource.kind}"
    return ApiError(500, "", f"failed to create typed patch object ({name}; {kind}): {listed}")


def _require_name(call: Call, metadata: Object) -> None:
    if metadata.setdefault("name", call.name) != call.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the "
            f"URL ({call.name})"
        )


def tracked(call: Call, old: Object | None, new: Object, now: str) -> Object:
    """Return *new* with the call's manager as the owner of what it changes in *old*."""
    return track_update(
        old,
        new,
        manager=call.manager,
        now=now,
        subresource=call.subresource,
        shape=_shape(call),
    )


def _shape(call: Call) -> Shape | None:
    return call.served.schema.shape if call.served.schema is not None else None


def is_owned_alike(call: Call, old: Object, new: Object) -> bool:
    """Tell whether a write that changes no value leaves all fields with their managers."""
    before, after = (obj["metadata"].get("managedFields") for obj in (old, new))
    if call.content_type != APPLY:
        return not before or after not in NOBODYS
    before, after = before or [], after or []
    return len(before) == len(after) and all(one in before for one in after)
