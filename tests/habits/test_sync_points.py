"""Every sync point of the catalogue is reached somewhere, and no other name is."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sympozium.runtime.sync_points import Point

ROOT = Path(__file__).parents[2]
SOURCES = ("src", "channels", "router", "controller", "agent_image")
FOLDER = {
    "web": "channels/sympozium_web",
    "channel": "src/sympozium/chat",
    "router": "router",
    "controller": "controller",
    "bridge": "agent_image",
    "agent": "agent_image",
    "tool": "agent_image",
}


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Yield every call of `reach` in the programs and the library."""
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            if "reach(" not in text or path.name == "reach.py":
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reach":
                    yield path.relative_to(ROOT), node


def named(node: ast.expr) -> list[str]:
    """Return the members of the catalogue that an argument may be; none for anything else."""
    if isinstance(node, ast.IfExp):
        return [*named(node.body), *named(node.orelse)]
    is_member = isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Point"
    return [node.attr] if is_member and isinstance(node, ast.Attribute) else []


def test_every_sync_point_is_reached_in_the_code_of_its_program() -> None:
    found = {
        (name, folder)
        for path, call in calls()
        for name in named(call.args[0])
        for folder in FOLDER.values()
        if path.is_relative_to(folder)
    }
    assert {(point.name, FOLDER[point.program]) for point in Point} == found


def test_every_call_names_points_of_the_catalogue() -> None:
    wrong = [str(path) for path, call in calls() if not set(named(call.args[0])) & names()]
    assert wrong == []


def test_a_moment_has_one_name_and_is_reached_in_one_place() -> None:
    places = Counter(name for _, call in calls() for name in named(call.args[0]))
    assert {name: count for name, count in places.items() if count > 1} == {}


def names() -> set[str]:
    return {point.name for point in Point}
