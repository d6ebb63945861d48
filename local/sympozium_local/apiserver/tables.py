"""Tables, as `kubectl get` prints them: the server chooses the columns and fills the cells."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sympozium_local.apiserver.cells import CELLS, age
from sympozium_local.apiserver.resource import ApiResource, Column, Object

_NAME = Column("Name", "string", ".metadata.name")
_AGE = Column("Age", "date", ".metadata.creationTimestamp")

Cell = Callable[[Object, datetime], Any]


def table(
    resource: ApiResource,
    objects: list[Object],
    *,
    list_metadata: Object,
    include_object: str,
    with_columns: bool = True,
) -> Object:
    """Return *objects* as a meta.k8s.io/v1 Table.

    *include_object* is what each row carries along: `None`, `Metadata` or the whole
    `Object`. A watch sends the columns only once: *with_columns*.
    """
    now = datetime.now(UTC)
    columns = _columns(resource)
    cells = _cells(resource)
    answer: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list_metadata}
    answer["columnDefinitions"] = [_definition(one) for one in columns] if with_columns else None
    answer["rows"] = [_row(obj, cells, include_object, now) for obj in objects]
    return answer


@cache
def _columns(resource: ApiResource) -> tuple[Column, ...]:
    columns = resource.columns or (_AGE,)
    is_named = any(column.name == "Name" for column in columns)
    return columns if is_named and resource.is_builtin else (_NAME, *columns)


def _definition(column: Column) -> Object:
    return {
        "name": column.name,
        "type": column.type,
        "format": "name" if column.json_path == ".metadata.name" else "",
        "description": column.description,
        "priority": column.priority,
    }


@cache
def _cells(resource: ApiResource) -> tuple[Cell, ...]:
    return tuple(_cell(resource, column) for column in _columns(resource))


def _cell(resource: ApiResource, column: Column) -> Cell:
    if resource.is_builtin:
        computed = CELLS.get((resource.storage_key, column.name))
        if computed is not None:
            return computed
        if column.name == "Age":
            return lambda obj, now: age(obj["metadata"].get("creationTimestamp"), now)
    read = json_path(column.json_path)
    if column.type == "date" and not resource.is_builtin:
        return lambda obj, now: age(_first(read(obj)), now) if read(obj) else None
    if column.type in {"integer", "number", "boolean"}:
        empty = None if not resource.is_builtin else 0
        return lambda obj, _now: _first(read(obj), empty)
    return lambda obj, _now: _text(read(obj), is_builtin=resource.is_builtin)


def _first(values: list[Any], otherwise: Any = None) -> Any:
    return values[0] if values else otherwise


def _text(values: list[Any], *, is_builtin: bool) -> Any:
    if not values:
        return "" if is_builtin else None
    value = values[0]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return re.sub(r"\s+", " ", str(value))
    return str(value)


def _row(obj: Object, cells: tuple[Cell, ...], include_object: str, now: datetime) -> Object:
    row: Object = {"cells": [cell(obj, now) for cell in cells], "object": None}
    if include_object == "Object":
        row["object"] = obj
    elif include_object != "None":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj["metadata"],
        }
    return row


_STEP = re.compile(
    r"""\.(?P<name>(?:[^.\[\\]|\\.)+)              # .spec, .metadata\.io
      | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
      | \[(?P<index>-?\d+)\]
      | \[(?P<all>\*)\]
      | \[\?\(@\.(?P<key>[^=!\s]+)\s*==\s*(?P<want>"[^"]*"|'[^']*'|[^)]+)\)\]""",
    re.VERBOSE,
)


@cache
def json_path(path: str) -> Callable[[Object], list[Any]]:
    """Return what reads the values at a path such as `.status.conditions[0].type` or
    `.status.conditions[?(@.type=="Ready")].status`.

    A path that cannot be read in these terms finds nothing.
    """  # noqa: D205 - the path is longer than what fits
    steps = [_step(match) for match in _STEP.finditer(path)]

    def read(obj: Object) -> list[Any]:
        found: list[Any] = [obj]
        for step in steps:
            found = [value for one in found for value in step(one)]
        return [value for value in found if value is not None]

    return read


def _step(match: re.Match[str]) -> Callable[[Any], list[Any]]:
    groups = match.groupdict()
    if groups["index"] is not None:
        index = int(groups["index"])
        return lambda one: _item(one, index)
    if groups["all"]:
        return _every
    if groups["key"]:
        keys, want = groups["key"].split("."), groups["want"].strip().strip("\"'")
        return lambda one: [item for item in _every(one) if str(_at(item, keys)) == want]
    name = groups["quoted"] or groups["name"].replace("\\.", ".")
    return lambda one: [one[name]] if isinstance(one, dict) and name in one else []


def _at(value: Any, keys: list[str]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return str(value).lower() if isinstance(value, bool) else value


def _every(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _item(value: Any, index: int) -> list[Any]:
    if isinstance(value, list) and -len(value) <= index < len(value):
        return [value[index]]
    return []
