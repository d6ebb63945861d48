"""Messages that nobody should have written, by a seed: bytes, and envelopes of hostile content."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]

HOSTILE_TEXTS = (
    "",
    " \t\n",
    "\0",
    "\ud800",
    "\u202egnp.exe",
    "@everyone <!channel> </script>",
    "'; drop table messages; --",
    "x" * 70_000,
    "{{7*7}} ${7*7} %s %n",
    "\x1b[2J",
    "-1",
    "1e999",
)
HOSTILE_VALUES: tuple[Any, ...] = (
    None, True, -1, 2**63, 2**200, 1e308, [], {}, [[[[[[]]]]]], {"": {"": {}}}, *HOSTILE_TEXTS,
)  # fmt: skip


def mutations(seed: int, count: int, good: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield *count* hostile messages; each stems from the good message of its number."""
    chance = random.Random(seed)
    ways = (_noise, _cut, _flipped, _nested, _changed, _changed, _changed, _doubled, _long)
    for number in range(count):
        yield chance.choice(ways)(chance, good(number))


def _noise(chance: random.Random, _: bytes) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 7, 300, 5000)))


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def _flipped(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _nested(chance: random.Random, _: bytes) -> bytes:
    return chance.choice((b"[", b'{"a":', b'{"payload":[')) * chance.choice((10, 20_000))


def _changed(chance: random.Random, data: bytes) -> bytes:
    """Change some values somewhere in the envelope or in what it holds."""
    envelope: Json = json.loads(data)
    for _ in range(chance.randint(1, 3)):
        inside = chance.choice((envelope, envelope.get("payload")))
        target = inside if isinstance(inside, dict) and inside else envelope
        key = chance.choice(sorted(target))
        if chance.random() < 0.2:
            del target[key]
        else:
            target[key] = copy.deepcopy(chance.choice(HOSTILE_VALUES))
        if not envelope:
            break
    return json.dumps(envelope).encode()


def _doubled(chance: random.Random, data: bytes) -> bytes:
    """Say every field of the envelope twice, the second time something else."""
    extra = json.dumps(chance.choice(HOSTILE_VALUES)).encode()
    return data[:-1] + b',"payload":' + extra + b"}"


def _long(chance: random.Random, data: bytes) -> bytes:
    envelope: Json = json.loads(data)
    envelope["payload"]["text"] = "x" * chance.choice((65_537, 100_000, 300_000))
    return json.dumps(envelope).encode()
