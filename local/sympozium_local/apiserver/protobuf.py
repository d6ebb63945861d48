"""Read the protobuf bodies that kubectl and helm send for built-in kinds.

Only reading: answers are JSON, which those clients accept.

Source of the framing: k8s.io/apimachinery pkg/runtime/serializer/protobuf; a prefix of
four bytes, then a `runtime.Unknown` that names the kind and holds the object.
"""

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from sympozium_local.apiserver.fields import Field, is_message, message_of, wire_fields
from sympozium_local.apiserver.protobuf_types import SPECIAL, read_json
from sympozium_local.apiserver.resource import Object

MAGIC = b"k8s\x00"

_SCHEMA = "apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 100


class ProtobufError(ValueError):
    """The bytes are no object of a known kind."""


def decode(body: bytes) -> Object:
    """Return the object in *body* as its JSON would be.

    Raises:
        ProtobufError: the bytes are malformed, or of a kind that is not known.
    """
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not begin with the prefix of Kubernetes protobuf")
    try:
        envelope = dict(_wire(memoryview(body)[len(MAGIC) :]))
        type_meta = dict(_wire(envelope.get(1, b"")))
        api_version = bytes(type_meta.get(1, b"")).decode()
        kind = bytes(type_meta.get(2, b"")).decode()
        # Options are sent under the group and version of what they are for.
        family = "meta.k8s.io/v1" if kind == "DeleteOptions" else api_version
        message = message_of(family, kind)
        if message is None:
            raise ProtobufError(f"no kind {kind!r} is registered for version {api_version!r}")
        obj = _message(envelope.get(2, b""), message, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, ValueError) as error:
        if isinstance(error, ProtobufError):
            raise
        raise ProtobufError(f"the body is malformed: {error}") from error
    return {"kind": kind, "apiVersion": api_version, **obj}


def _wire(data: Any) -> Iterator[tuple[int, Any]]:
    """Yield the numbers and raw values of the fields of one message."""
    data = memoryview(data)
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire_type == _BYTES:
            size, position = _varint(data, position)
        elif wire_type in {_FIXED64, _FIXED32}:
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise ProtobufError(f"unknown wire type {wire_type}")
        if position + size > end:
            raise ProtobufError("the body ends in the middle of a field")
        yield number, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ProtobufError("a number is longer than 64 bits")


@cache
def _by_number(message: str) -> Mapping[int, tuple[str, Field]]:
    return {field.number: (name, field) for name, field in wire_fields(message).items()}


def _message(data: Any, message: str, depth: int) -> Object:
    if depth > _MAX_DEPTH:
        raise ProtobufError("the object is nested too deeply")
    fields = _by_number(message)
    obj: Object = {}
    for number, raw in _wire(data):
        known = fields.get(number)
        if known is None:
            continue  # as every protobuf reader does with fields of a later version
        name, field = known
        if field.is_inline:
            obj.update(_message(raw, field.type, depth + 1))
        elif field.shape == "list":
            obj.setdefault(name, []).extend(_items(raw, field.type, depth))
        elif field.shape == "map":
            key, value = _entry(raw, field.type, depth)
            obj.setdefault(name, {})[key] = value
        else:
            value = _one(raw, field.type, depth)
            if _is_shown(value, field):
                obj[name] = value
    return obj


def _is_shown(value: Any, field: Field) -> bool:
    """Tell whether a value would be in the JSON that the same client would have sent."""
    if value is None:
        return False
    if field.is_pointer or field.is_always_shown or field.type == "IntOrString":
        return True
    if isinstance(value, dict):
        return True
    return value not in ("", 0, False)


def _items(raw: Any, type_: str, depth: int) -> list[Any]:
    if type_ in {"int32", "int64", "bool"} and isinstance(raw, memoryview):  # packed
        values, position = [], 0
        while position < len(raw):
            value, position = _varint(raw, position)
            values.append(_one(value, type_, depth))
        return values
    return [_one(raw, type_, depth)]


def _entry(raw: Any, type_: str, depth: int) -> tuple[str, Any]:
    parts = dict(_wire(raw))
    value = _one(parts.get(2, b""), type_, depth)
    return bytes(parts.get(1, b"")).decode(), value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "string": lambda raw: bytes(raw).decode(),
    "bytes": lambda raw: base64.b64encode(raw).decode(),
    "bool": bool,
    "int32": _signed,
    "int64": _signed,
    "double": lambda raw: struct.unpack("<d", raw)[0],
}


def _one(raw: Any, type_: str, depth: int) -> Any:
    scalar = _SCALARS.get(type_)
    if scalar is not None:
        return scalar(raw)
    if is_message(type_):
        return _message(raw, type_, depth + 1)
    if type_.startswith("JSONSchemaProps"):
        return _schema_or(raw, type_, depth)
    if type_ == "JSON":
        return read_json(dict(_wire(raw)))
    return SPECIAL[type_](list(_wire(raw)))


def _schema_or(raw: Any, type_: str, depth: int) -> Any:
    """Read what is a schema, or else a boolean or a list."""
    schemas: list[Any] = []
    others: list[Any] = []
    for number, part in _wire(raw):
        if (number == 2) is (type_ == "JSONSchemaPropsOrBool"):
            schemas.append(_message(part, _SCHEMA, depth + 1))
        elif type_ == "JSONSchemaPropsOrArray":
            others.append(_message(part, _SCHEMA, depth + 1))
        else:
            others.append(bool(part) if isinstance(part, int) else bytes(part).decode())
    if schemas:
        return schemas[0]
    return others[0] if type_ == "JSONSchemaPropsOrBool" and others else others
