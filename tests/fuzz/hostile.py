"""Input that nobody sends by mistake: valid examples, changed where it hurts.

Bytes are changed blindly; JSON also by its structure, so that what is wrong lies deep
inside of something that is right.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

LONG = 70_000
"""Longer than any text that is accepted."""

SPIKES: tuple[Any, ...] = (
    None,
    True,
    "",
    " ",
    "\0",
    "\u202e",
    "\ufeff",
    "a\nb\r\n",
    "../../etc/passwd",
    "<!channel> @everyone",
    "*",
    ">",
    "runs.*.*.out",
    "x" * LONG,
    "\N{PILE OF POO}" * 9000,
    "\ud800",
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**70),
    10**400,
    1e308,
    -0.0,
    "NaN",
    "1e999",
    "9" * 5000,
    "9999-99-99T99:99:99Z",
    "0001-01-01T00:00:00+23:59",
    "2026-01-02T03:04:05",
    [],
    {},
    [[]],
    [None] * 2000,
    {"": ""},
    {"type": "result"},
    {f"k{number}": number for number in range(2000)},
)

NESTS = {f"@nest-{depth}@": depth for depth in (50, 300, 600, 900, 1200, 5000, 100_000)}
"""Texts in the place of which lists in lists are written, so many deep."""

FRAGMENTS = (
    b"",
    b"\0",
    b"\n",
    b'"',
    b"\\",
    b"\\ud800",
    b"\xff\xfe",
    b"\xc3",
    b"{",
    b"}",
    b"[" * 5000,
    b'{"a":' * 3000,
    b"NaN",
    b"Infinity",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"null",
    b"true",
    b',"id":"x"',
    b"\xef\xbb\xbf",
    b"a" * LONG,
)


def altered_bytes(data: bytes, source: random.Random) -> bytes:
    """Return *data* with a few bytes changed, moved, repeated, cut out or put in."""
    changed = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 3, 8))):
        begin = source.randrange(len(changed) + 1)
        end = min(len(changed), begin + source.choice((0, 1, 1, 4, 16, 200)))
        match source.randrange(6):
            case 0 if begin < len(changed):
                changed[begin] ^= 1 << source.randrange(8)
            case 1:
                del changed[begin:end]
            case 2:
                changed[begin:begin] = changed[begin:end]
            case 3:
                changed[begin:end] = source.choice(FRAGMENTS)
            case 4:
                del changed[begin:]
            case _:
                changed[begin:end] = source.randbytes(end - begin)
    return bytes(changed)


def altered_value(value: Any, source: random.Random) -> Any:
    """Return a JSON *value* with one thing in it changed, added or taken away."""
    if source.random() < 0.03:
        return source.choice(list(NESTS))
    if source.random() < 0.15 or not isinstance(value, dict | list) or not value:
        return source.choice(SPIKES)
    if isinstance(value, list):
        place = source.randrange(len(value))
        return [*value[:place], altered_value(value[place], source), *value[place + 1 :]]
    name = source.choice(list(value))
    match source.randrange(8):
        case 0:
            return {key: one for key, one in value.items() if key != name}
        case 1:
            return {**value, f"{name}X": value[name]}
        case 2:
            return {**value, name: source.choice(SPIKES)}
        case _:
            return {**value, name: altered_value(value[name], source)}


def altered_values(value: Any, source: random.Random) -> Any:
    """Return a JSON *value* with one to four things changed."""
    for _ in range(source.choice((1, 1, 2, 4))):
        value = altered_value(value, source)
    return value


def hostile_json(examples: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Return values made of *examples*, wrong somewhere inside."""

    def draw(number: int) -> Any:
        source = random.Random(number)
        return altered_values(source.choice(examples), source)

    return st.integers(min_value=0, max_value=2**64).map(draw)


def hostile_bytes(examples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return bytes made of *examples*, which are JSON: altered as bytes, as JSON, or both."""

    def draw(number: int) -> bytes:
        source = random.Random(number)
        return altered_json(source.choice(examples), source)

    return st.integers(min_value=0, max_value=2**64).map(draw) | st.binary(max_size=300)


def altered_json(data: bytes, source: random.Random) -> bytes:
    """Return *data*, which is JSON, altered as bytes, as JSON, or both; now and then as it is."""
    if source.random() < 0.6:
        data = as_json(altered_values(json.loads(data), source))
    return data if source.random() < 0.4 else altered_bytes(data, source)


def as_json(value: Any) -> bytes:
    """Write *value* as a careless program does: half surrogates, NaN, deep lists and all."""
    data = json.dumps(value).encode()
    for name, depth in NESTS.items():
        data = data.replace(f'"{name}"'.encode(), b"[" * depth + b"]" * depth)
    return data


def answers_of(examples: Sequence[bytes]) -> list[Any]:
    """Return what *examples* hold as JSON."""
    return [json.loads(example) for example in examples]
