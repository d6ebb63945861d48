"""Rules of CustomResourceDefinitions beside those of their schemas."""

from collections.abc import Iterator
from typing import Any

from sympozium_local.apiserver import name_rules
from sympozium_local.apiserver.field_errors import FieldError, invalid
from sympozium_local.apiserver.resource import Object

_COLUMN_TYPES = "boolean,date,integer,number,string"
_NOT_SIMPLE = "must be a simple json path starting with ."
_FROZEN = ("group", "scope", "names.kind", "names.plural")


def check_names(names: Object) -> Iterator[FieldError]:
    """Yield the names of a kind that no path or command could hold."""
    named = {
        "singular": names.get("singular"),
        "plural": names.get("plural"),
        "kind": str(names.get("kind", "")).lower(),
        "listKind": str(names.get("listKind", "")).lower(),
    }
    for field, name in named.items():
        for why in name_rules.dns_1035_label(name) if name else ():
            shown = names[field]
            yield invalid(f"spec.names.{field}", shown, why.replace(str(name), str(shown)))
    for field in ("shortNames", "categories"):
        for index, name in enumerate(names.get(field) or ()):
            for why in name_rules.dns_1035_label(name):
                yield invalid(f"spec.names.{field}[{index}]", name, why)


def check_version(index: int, version: Object) -> Iterator[FieldError]:
    """Yield what is wrong with a version apart from its schema."""
    path = f"spec.versions[{index}]"
    name = str(version.get("name", ""))
    yield from (invalid(f"{path}.name", name, why) for why in name_rules.dns_1035_label(name))
    if version.get("deprecationWarning") and not version.get("deprecated"):
        warning = version["deprecationWarning"]
        why = "can only be set for deprecated versions"
        yield invalid(f"{path}.deprecationWarning", warning, why)
    for place, column in enumerate(version.get("additionalPrinterColumns") or ()):
        where = f"spec.additionalPrinterColumns[{place}]"
        if column.get("type") not in _COLUMN_TYPES.split(","):
            yield invalid(f"{where}.type", column.get("type"), f"must be one of {_COLUMN_TYPES}")
        if not is_path(column.get("jsonPath", "")):
            yield invalid(f"{where}.JSONPath", column.get("jsonPath", ""), _NOT_SIMPLE)
    scale = (version.get("subresources") or {}).get("scale") or {}
    for field in ("specReplicasPath", "statusReplicasPath", "labelSelectorPath"):
        if scale.get(field) and not is_path(scale[field]):
            yield invalid(f"spec.subresources.scale.{field}", scale[field], _NOT_SIMPLE)
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    for place, selectable in enumerate(version.get("selectableFields") or ()):
        if not _is_in(schema, selectable.get("jsonPath", "")):
            why = "is an invalid path: does not refer to a valid field"
            shown = selectable.get("jsonPath", "")
            yield invalid(f"spec.selectableFields[{place}].jsonPath", shown, why)


def is_path(text: str) -> bool:
    """Tell whether *text* is a JSON path from the object's root, with its brackets closed."""
    return text.startswith(".") and text.count("[") == text.count("]")


def _is_in(schema: Any, path: str) -> bool:
    for step in path.removeprefix(".").split("."):
        schema = (schema.get("properties") or {}).get(step) if isinstance(schema, dict) else None
    return isinstance(schema, dict)


def check_change(new: Object, old: Object) -> Iterator[FieldError]:
    """Yield what may not change once objects of the kind may be there."""
    conditions = (old.get("status") or {}).get("conditions") or ()
    if not any((one["type"], one["status"]) == ("Established", "True") for one in conditions):
        return
    for path in _FROZEN:
        before, after = (_at(obj.get("spec"), path) for obj in (old, new))
        if before != after:
            yield invalid(f"spec.{path}", after, "field is immutable")


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
