"""Reading a JSON object that a stranger sent: bounded, and without room for two readings."""

import json
from typing import Any, NoReturn


class NotOneObjectError(ValueError):
    """The bytes are not one unambiguous JSON object; the text says why, without the content."""


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in *data*.

    A repeated key, `NaN`, `Infinity`, half of a surrogate pair and nesting deeper
    than the interpreter allows are refused: programs differ in what they make of them.

    Raises:
        NotOneObjectError: *data* is anything else.
    """
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
    except NotOneObjectError:
        raise
    except UnicodeEncodeError:
        raise NotOneObjectError("a text holds half of a surrogate pair") from None
    except UnicodeDecodeError:
        raise NotOneObjectError("it is not UTF-8") from None
    except RecursionError:
        raise NotOneObjectError("it is nested too deeply") from None
    except ValueError:
        raise NotOneObjectError("it is not JSON") from None
    if not isinstance(value, dict):
        raise NotOneObjectError("it is not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise NotOneObjectError("it has a key twice")
    return unique


def _refuse_constant(_name: str) -> NoReturn:
    raise NotOneObjectError("NaN and Infinity are not JSON")
