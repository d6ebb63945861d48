"""Tell field by field where two transcripts differ."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.differential.case import Exchange

_NOTHING = object()


def differences(recorded: list[Exchange], played: list[Exchange]) -> dict[str, str]:
    """Return each path at which *played* is not as *recorded*, and how."""
    return dict(_differ(recorded, played, ""))


def _differ(recorded: Any, played: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(recorded, dict) and isinstance(played, dict):
        for key in sorted({*recorded, *played}):
            yield from _differ(
                recorded.get(key, _NOTHING), played.get(key, _NOTHING), f"{path}.{key}"
            )
    elif isinstance(recorded, list) and isinstance(played, list):
        for index in range(max(len(recorded), len(played))):
            one, other = (
                items[index] if index < len(items) else _NOTHING for items in (recorded, played)
            )
            yield from _differ(one, other, f"{path}.{index}")
    elif recorded != played or type(recorded) is not type(played):
        yield path.lstrip("."), f"recorded {_show(recorded)}, here {_show(played)}"


def _show(value: Any) -> str:
    return "nothing" if value is _NOTHING else repr(value)


def sort_out(
    found: Mapping[str, str], accepted: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Return the differences that nobody accepted, and accepted ones that are no more."""
    unlisted = {
        path: how
        for path, how in found.items()
        if not any(fnmatchcase(path, pattern) for pattern in accepted)
    }
    stale = [
        pattern for pattern in accepted if not any(fnmatchcase(path, pattern) for path in found)
    ]
    return unlisted, stale
