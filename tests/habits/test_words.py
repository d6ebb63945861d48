"""Words that promise instead of saying, and traces of where the code was written."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = re.compile(
    r"\b(simple|simply|easy|easily|robust|powerful|seamless|blazing|cutting-edge)\b", re.IGNORECASE
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root)/")
FOLDERS = ("src", "channels", "router", "controller", "agent_image", "local", "docs", "tests")
TEXTS = {".py", ".md", ".yaml", ".toml", ".js", ".html", ".css"}


def texts() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in found if path.suffix in TEXTS and path != Path(__file__))


def docstrings(path: Path) -> str:
    tree = ast.parse(path.read_text())
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    documented = (node for node in ast.walk(tree) if isinstance(node, nodes))
    return "\n".join(ast.get_docstring(node) or "" for node in documented)


@pytest.mark.parametrize("path", texts(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_says_things_without_praise(path: Path) -> None:
    text = path.read_text()
    prose = docstrings(path) if path.suffix == ".py" else text if path.suffix == ".md" else ""
    assert BANNED.findall(prose) == []
    assert MACHINE_PATHS.findall(text) == []
