"""What is wrong with one field, in the words of the real server.

Source of the words: k8s.io/apimachinery pkg/util/validation/field.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """One cause of a refusal, as in `details.causes` of a Status."""

    field: str
    reason: str
    message: str


def shown(value: Any) -> str:
    """Return a value as messages show it: strings quoted, objects as JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def required(field: str, why: str = "") -> FieldError:
    """The field must be there."""
    message = f"Required value: {why}" if why else "Required value"
    return FieldError(field, "FieldValueRequired", message)


def invalid(field: str, value: Any, why: str, reason: str = "FieldValueInvalid") -> FieldError:
    """The value breaks a rule."""
    return FieldError(field, reason, f"Invalid value: {shown(value)}: {why}")


def not_supported(field: str, value: Any, supported: Iterable[Any]) -> FieldError:
    """The value is none of those that may be used."""
    listed = ", ".join(f'"{one}"' if isinstance(one, str) else shown(one) for one in supported)
    message = f"Unsupported value: {shown(value)}: supported values: {listed}"
    return FieldError(field, "FieldValueNotSupported", message)


def duplicate(field: str, value: Any) -> FieldError:
    """The value is there twice."""
    return FieldError(field, "FieldValueDuplicate", f"Duplicate value: {shown(value)}")


def forbidden(field: str, why: str) -> FieldError:
    """The field may not be set, or not be changed."""
    return FieldError(field, "FieldValueForbidden", f"Forbidden: {why}")


def too_long(field: str, max_bytes: int) -> FieldError:
    """The text is too long."""
    message = f"Too long: may not be more than {max_bytes} bytes"
    return FieldError(field, "FieldValueTooLong", message)


def too_many(field: str, count: int, max_count: int) -> FieldError:
    """The list is too long."""
    message = f"Too many: {count}: must have at most {max_count} items"
    return FieldError(field, "FieldValueTooMany", message)
