"""Markers on custom resource fields that end up in the CRD.

A field that an older manifest may carry and that does nothing here yet is
declared `Unsupported`: the API server then refuses an object that sets it, by a
rule in the CRD that names the field. It is never accepted and ignored.
"""

from typing import Annotated, Any

import msgspec

from sympozium.contract.times import DURATION_PATTERN


class KubeModel(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of a custom resource; attributes are snake_case, fields camelCase."""


UNSUPPORTED_KEY = "x-sympozium-unsupported"
RULES_KEY = "x-kubernetes-validations"
PRESERVE_KEY = "x-kubernetes-preserve-unknown-fields"

_OPEN_OBJECT = {"type": "object", PRESERVE_KEY: True}


def _unsupported(field_schema: dict[str, Any]) -> msgspec.Meta:
    return msgspec.Meta(extra_json_schema={UNSUPPORTED_KEY: field_schema})


# The schema's type must be said: a rule of the CRD cannot see a field without one.
UnsupportedObject = Annotated[Any, _unsupported(_OPEN_OBJECT)]
"""Type of a field that is known and refused: `sandbox: UnsupportedObject = None`."""
UnsupportedList = Annotated[Any, _unsupported({"type": "array", "items": _OPEN_OBJECT})]
UnsupportedString = Annotated[Any, _unsupported({"type": "string"})]
UnsupportedInteger = Annotated[Any, _unsupported({"type": "integer"})]
UnsupportedBoolean = Annotated[Any, _unsupported({"type": "boolean"})]

Duration = Annotated[str, msgspec.Meta(pattern=DURATION_PATTERN)]
"""A time span as people write it: `10m`, `1h30m`, `90s`."""

Quantities = dict[str, str]
"""Amounts by resource name, as in a pod: `{"cpu": "500m", "memory": "256Mi"}`."""


def described(text: str, **constraints: Any) -> msgspec.Meta:
    """Return the metadata of a field: what `kubectl explain` shows, and its bounds."""
    return msgspec.Meta(description=text, **constraints)


def ruled(rule: str, message: str, *, field: str = "") -> msgspec.Meta:
    """Return a CEL rule on a field's value (`self`), with the sentence shown when it fails.

    The refusal names the *field* of the value, or the value itself.
    """
    said = {"rule": rule, "message": message} | ({"fieldPath": f".{field}"} if field else {})
    return msgspec.Meta(extra_json_schema={RULES_KEY: [said]})


UP_TO_A_DAY = ruled("duration(self) <= duration('24h')", "at most '24h' is accepted")
"""Bound of a deadline; see `limits.MAX_RUN_TIMEOUT`."""
