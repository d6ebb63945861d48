"""Types whose JSON looks different from their message on the wire."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Parts = list[tuple[int, Any]]
"""Numbers and raw values of the fields of one message."""


def _text(raw: Any) -> str:
    return bytes(raw).decode()


def _signed(value: int, bits: int = 64) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _moment(parts: Parts) -> datetime | None:
    if not parts:
        return None
    fields = dict(parts)
    seconds, nanos = _signed(fields.get(1, 0)), fields.get(2, 0)
    try:
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError as error:
        raise ValueError("a time is out of range") from error


def _time(parts: Parts) -> str | None:
    moment = _moment(parts)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _micro_time(parts: Parts) -> str | None:
    moment = _moment(parts)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else None


def _int_or_string(parts: Parts) -> int | str:
    fields = dict(parts)
    if fields.get(1, 0):
        return _text(fields.get(3, b""))
    return _signed(fields.get(2, 0), 32)


def read_json(fields: Mapping[int, Any]) -> Any:
    """Read a message that holds JSON as bytes."""
    raw = bytes(fields.get(1, b""))
    return json.loads(raw) if raw else None


SPECIAL: Mapping[str, Callable[[Parts], Any]] = {
    "Quantity": lambda parts: _text(dict(parts).get(1, b"")),
    "IntOrString": _int_or_string,
    "Time": _time,
    "MicroTime": _micro_time,
    "FieldsV1": lambda parts: read_json(dict(parts)),
    "StringList": lambda parts: [_text(raw) for number, raw in parts if number == 1],
}
"""How each is read."""
