"""The CRDs as YAML files of the chart, generated from the contract.

python -m sympozium_local.crd_files [--check]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from sympozium.contract.crds import definition_objects

FOLDER = Path(__file__).parents[2] / "helm" / "sympozium-crds" / "crds"
_HEAD = "# Generated from src/sympozium/contract by `make crds`; do not edit.\n"


def as_yaml() -> str:
    """Return all definitions as one YAML stream."""
    return "---\n".join(text for _, text in _files())


def _files() -> Iterator[tuple[str, str]]:
    for definition in definition_objects():
        text = yaml.safe_dump(definition, sort_keys=False, width=100, allow_unicode=True)
        yield f"{definition['metadata']['name']}.yaml", text


def write() -> None:
    """Make the chart's folder hold exactly the definitions."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = {name: _HEAD + text for name, text in _files()}
    for path in FOLDER.glob("*.yaml"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text)


def drift() -> list[str]:
    """Return the names of files that are missing, left over or different."""
    wanted = {name: _HEAD + text for name, text in _files()}
    there = {path.name: path.read_text() for path in FOLDER.glob("*.yaml")}
    return sorted(name for name in wanted | there if wanted.get(name) != there.get(name))


def main() -> None:
    """Write the files, or with --check say whether they are as generated."""
    if "--check" not in sys.argv[1:]:
        write()
    elif drifted := drift():
        sys.stderr.write(
            f"CRDs differ from the contract: {', '.join(drifted)}; run `make crds` and commit\n"
        )
        raise SystemExit(1)


if __name__ == "__main__":
    main()
