"""The CRDs as files of their chart, and the chart's copy inside the chart that installs it.

python -m sympozium_local.crd_files [--check]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from sympozium.contract.crds import definition_objects

HELM = Path(__file__).parents[2] / "helm"
CHART = Path("sympozium-crds")
COPY = Path("sympozium", "charts", "sympozium-crds")
"""Where `helm install` looks for a dependency, so that it needs no network and no first step."""

_HEAD = "# Generated from src/sympozium/contract by `make crds`; do not edit.\n"


def as_yaml() -> str:
    """Return all definitions as one YAML stream."""
    return "---\n".join(text for _, text in _files())


def _files() -> Iterator[tuple[str, str]]:
    for definition in definition_objects():
        text = yaml.safe_dump(definition, sort_keys=False, width=100, allow_unicode=True)
        yield f"{definition['metadata']['name']}.yaml", text


def _wanted(helm: Path) -> dict[Path, str]:
    """Return every file that the contract or the chart decides, by its path below *helm*."""
    definitions = {Path("definitions", name): _HEAD + text for name, text in _files()}
    there = _there(helm, CHART)
    written = {path: there[path] for path in there if path.parent.name != "definitions"}
    chart = written | {CHART / path: text for path, text in definitions.items()}
    return chart | {COPY / path.relative_to(CHART): text for path, text in chart.items()}


def _there(helm: Path, *folders: Path) -> dict[Path, str]:
    files = (path for folder in folders for path in (helm / folder).rglob("*") if path.is_file())
    return {path.relative_to(helm): path.read_text() for path in files}


def write(helm: Path = HELM) -> None:
    """Make the chart hold exactly the definitions, and its copy exactly the chart."""
    wanted = _wanted(helm)
    for path in _there(helm, CHART, COPY):
        if path not in wanted:
            (helm / path).unlink()
    for path, text in wanted.items():
        (helm / path).parent.mkdir(parents=True, exist_ok=True)
        (helm / path).write_text(text)


def drift(helm: Path = HELM) -> list[str]:
    """Return the paths of files that are missing, left over or different."""
    wanted, there = _wanted(helm), _there(helm, CHART, COPY)
    return sorted(str(path) for path in wanted | there if wanted.get(path) != there.get(path))


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
