"""The OpenAPI v3 documents by which kubectl validates and explains kinds."""

from collections.abc import Iterable, Mapping
from typing import Any

from sympozium_local.apiserver.fields import Field, is_message, json_fields, message_of
from sympozium_local.apiserver.resource import ApiResource, Object

_METADATA = "apimachinery.pkg.apis.meta.v1.ObjectMeta"
_GVK = "x-kubernetes-group-version-kind"
_JSON_TYPES: Mapping[str, Object] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "Time": {"type": "string", "format": "date-time"},
    "MicroTime": {"type": "string", "format": "date-time"},
    "Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "IntOrString": {
        "format": "int-or-string",
        "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
    "StringList": {"type": "array", "items": {"type": "string"}},
    "FieldsV1": {"type": "object"},
}
_ANY: Object = {"x-kubernetes-preserve-unknown-fields": True}
_CONVENTIONS = "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md"
_TYPE_META: Mapping[str, Object] = {
    "apiVersion": {
        "type": "string",
        "description": "APIVersion defines the versioned schema of this representation of an "
        "object. Servers should convert recognized schemas to the latest internal value, and may "
        f"reject unrecognized values. More info: {_CONVENTIONS}#resources",
    },
    "kind": {
        "type": "string",
        "description": "Kind is a string value representing the REST resource this object "
        "represents. Servers may infer this from the endpoint the client submits requests to. "
        f"Cannot be updated. In CamelCase. More info: {_CONVENTIONS}#types-kinds",
    },
}
_QUERY = ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")


def index(api_versions: Iterable[tuple[str, str]]) -> Object:
    """Return the document at /openapi/v3 for pairs of group and version."""
    paths = {}
    for group, version in api_versions:
        path = _root(group, version).lstrip("/")
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}"}
    return {"paths": paths}


def _root(group: str, version: str) -> str:
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def document(
    group: str, version: str, resources: list[ApiResource], schemas: Mapping[str, Object]
) -> Object:
    """Return the document of one group and version.

    *schemas* are the `openAPIV3Schema`s of custom kinds, by kind; built-in kinds are
    described from the table of fields.
    """
    components: dict[str, Object] = {}
    paths: dict[str, Object] = {}
    for resource in resources:
        paths.update(_paths(resource, _component_name(resource)))
        components[_component_name(resource)] = _component(
            resource, schemas.get(resource.kind), components
        )
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _gvk(resource: ApiResource) -> Object:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _component_name(resource: ApiResource) -> str:
    message = message_of(resource.api_version, resource.kind)
    if resource.is_builtin and message is not None:
        return f"io.k8s.{message}"
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _ref(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _paths(resource: ApiResource, component: str) -> dict[str, Object]:
    root = _root(resource.group, resource.version)
    collection = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    collection = f"{collection}/{resource.plural}"
    answer = {"200": {"description": "OK", "content": {"application/json": {
        "schema": _ref(component)}}}}  # fmt: skip

    def operation(action: str, *query: str) -> Object:
        parameters = [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in query
        ]
        return {
            "parameters": parameters,
            "responses": answer,
            "x-kubernetes-action": action,
            _GVK: _gvk(resource),
        }

    return {
        collection: {"get": operation("list"), "post": operation("post", *_QUERY)},
        f"{collection}/{{name}}": {
            "get": operation("get"),
            "put": operation("put", *_QUERY),
            "patch": operation("patch", *_QUERY),
            "delete": operation("delete"),
        },
    }


def _component(
    resource: ApiResource, schema: Object | None, components: dict[str, Object]
) -> Object:
    message = message_of(resource.api_version, resource.kind)
    if schema is None and message is not None:
        component = _message(message, components)
        component["properties"] = {**_TYPE_META, **component["properties"]}
    else:
        component = dict(schema or {"type": "object", **_ANY})
        _add_message(_METADATA, components)
        described = f"Standard object's metadata. More info: {_CONVENTIONS}#metadata"
        metadata = {"description": described, "allOf": [_ref(f"io.k8s.{_METADATA}")]}
        known = {**_TYPE_META, "metadata": metadata}
        component["properties"] = {**(component.get("properties") or {}), **known}
    component[_GVK] = [_gvk(resource)]
    return component


def _add_message(message: str, components: dict[str, Object]) -> None:
    name = f"io.k8s.{message}"
    if name not in components:
        components[name] = {}  # a message may hold itself
        components[name] = _message(message, components)


def _message(message: str, components: dict[str, Object]) -> Object:
    fields = json_fields(message)
    schema: Object = {"type": "object"}
    schema["properties"] = {
        name: _property(field, components) for name, field in sorted(fields.items())
    }
    required = sorted(name for name, field in fields.items() if field.is_required)
    return {**schema, "required": required} if required else schema


def _property(field: Field, components: dict[str, Object]) -> Object:
    one = _type(field, components)
    if field.shape == "map":
        return {"type": "object", "additionalProperties": one}
    if field.shape == "one":
        return one
    schema: Object = {"type": "array", "items": one, "x-kubernetes-list-type": field.list_type}
    if field.keys:
        schema["x-kubernetes-list-map-keys"] = list(field.keys)
    if field.patch:
        schema["x-kubernetes-patch-strategy"] = ",".join(sorted(field.patch))
    if field.merge_key:
        schema["x-kubernetes-patch-merge-key"] = field.merge_key
    return schema


def _type(field: Field, components: dict[str, Object]) -> Object:
    if is_message(field.type):
        _add_message(field.type, components)
        return _ref(f"io.k8s.{field.type}")
    schema: dict[str, Any] = dict(_JSON_TYPES.get(field.type, _ANY))
    if field.enum:
        schema["enum"] = list(field.enum)
    return schema
