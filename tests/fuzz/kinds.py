"""Our kinds as the embedded API server checks them, without the server around it."""

from copy import deepcopy

from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import Object
from sympozium_local.apiserver.schema import CompiledSchema

MAX_OBJECT_BYTES = 1_500_000
"""Largest object that a cluster stores. Source: the default request limit of etcd."""

_SCHEMAS = {
    definition["spec"]["names"]["kind"]: CompiledSchema(
        definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    )
    for definition in definition_objects()
}


def complaints_about(obj: Object) -> list[str]:
    """Return why the API server would refuse *obj*; nothing: it would take it as it is."""
    filled = deepcopy(obj)
    found, removed = _fill_in(filled)
    return found + [f"{name}: unknown" for name in removed]


def stored(obj: Object) -> Object | None:
    """Return *obj* as the API server would store it; None: it would refuse it."""
    filled = deepcopy(obj)
    found, _ = _fill_in(filled)
    return None if found else filled


def _fill_in(filled: Object) -> tuple[list[str], list[str]]:
    schema = _SCHEMAS[filled["kind"]]
    removed = schema.prune(filled)
    schema.default(filled)
    found = [f"{one.field}: {one.message}" for one in schema.validate(filled)]
    if len(repr(filled)) > MAX_OBJECT_BYTES:
        found.append("it is too large")
    return found, removed
