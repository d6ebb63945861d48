"""The fields of built-in kinds: number on the wire, type, and how lists of them merge.

One table, read from `builtin_fields.json`, serves the protobuf decoder, strict field
validation, strategic merge patches, field ownership and the OpenAPI documents, so
that they cannot contradict each other.

Source of the table: the structs and markers of k8s.io/api, k8s.io/apimachinery and
k8s.io/apiextensions-apiserver v0.36.3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        type: A scalar, a special type such as `Quantity`, or the name of a message.
        shape: `one`, `list` of the type, or `map` of strings to the type.
        is_inline: Its fields stand among those of the message that holds it.
        is_pointer: Absent and empty are different things.
        is_always_shown: It is in the JSON even when it is empty.
        list_type: `map` (items are told apart by `keys`), `set` or `atomic`.
        is_atomic: Owned, and replaced, as a whole.
        patch: How a strategic merge patch treats it: `merge`, `retainKeys`.
    """

    number: int
    type: str
    shape: str
    is_inline: bool
    is_pointer: bool
    is_always_shown: bool
    is_required: bool
    list_type: str
    keys: tuple[str, ...]
    is_atomic: bool
    has_atomic_items: bool
    patch: frozenset[str]
    merge_key: str
    enum: tuple[str, ...]


def _field(number: int, type_: str, more: Mapping[str, Any]) -> Field:
    shape = "list" if type_.startswith("[]") else "map" if type_.startswith("map[]") else "one"
    return Field(
        number=number,
        type=type_.rpartition("]")[2],
        shape=shape,
        is_inline=more.get("inline", False),
        is_pointer=more.get("pointer", False),
        is_always_shown=more.get("always", False),
        is_required=more.get("required", False),
        list_type=more.get("list", "atomic"),
        keys=tuple(more.get("keys", ())),
        is_atomic=more.get("atomic", False),
        has_atomic_items=more.get("atomicItems", False),
        patch=frozenset(filter(None, more.get("patch", "").split(","))),
        merge_key=more.get("mergeKey", ""),
        enum=tuple(more.get("enum", ())),
    )


@cache
def _table() -> Any:
    return json.loads(resources.files(__package__).joinpath("builtin_fields.json").read_bytes())


def message_of(api_version: str, kind: str) -> str | None:
    """Return the message that describes a kind; None: it is not a built-in one."""
    found: str | None = _table()["kinds"].get(f"{api_version}/{kind}")
    return found


@cache
def wire_fields(message: str) -> Mapping[str, Field]:
    """Return the fields of *message* as they are on the wire, by name."""
    entries = _table()["messages"][message]
    return {
        name: _field(entry[0], entry[1], entry[2] if len(entry) > 2 else {})
        for name, entry in entries.items()
    }


@cache
def json_fields(message: str) -> Mapping[str, Field]:
    """Return the fields of *message* as they are in JSON, inline ones spread out."""
    fields: dict[str, Field] = {}
    for name, field in wire_fields(message).items():
        fields.update(json_fields(field.type) if field.is_inline else {name: field})
    return fields


def is_message(type_: str) -> bool:
    """Tell whether a type has fields of its own in the table."""
    return "." in type_
