"""What each image will hold, worked out from the lock file where nothing can build images.

`tests/kube/test_images.py` asks the same of the images as they were built.
"""

import json
import re
from importlib.metadata import distribution, requires
from pathlib import Path

import grimp
import pytest

from sympozium_images.assemble import CannotAssembleError, closure, pins, wanted_by
from sympozium_images.builders import ROOT
from sympozium_images.programs import PROGRAMS, Image
from tests.images.contents import MODULES, PARTS, by_name

PYPROJECT = (ROOT / "pyproject.toml").read_text()
LOCK = (ROOT / "requirements.lock").read_text()


def dockerfile(image: Image) -> str:
    return (ROOT / image.folder / "Dockerfile").read_text()


def distributions_of(image: Image) -> set[str]:
    (extra,) = re.findall(r'"libraries", "(\w+)"', dockerfile(image))
    return closure(wanted_by(PYPROJECT, extra), lambda names: None, lambda n: requires(n) or [])


def modules_of(name: str) -> set[str]:
    """Return what a distribution brings that can be imported, by its top-level names."""
    files = [Path(one) for one in distribution(name).files or []]
    tops = {path.parts[0] for path in files if path.suffix in {".py", ".so"} or path.parts[1:]}
    named = {top for top in tops if top[0] != "." and not top.endswith(".dist-info")}
    return {top.split(".")[0] for top in named} - {"include"}


@pytest.mark.parametrize("image", PROGRAMS, ids=by_name)
def test_an_image_gets_what_is_listed_and_nothing_more(image: Image) -> None:
    copied = set(re.findall(r"packages/(\w+)$", dockerfile(image), re.MULTILINE))
    found = copied.union(*(modules_of(name) for name in distributions_of(image)))
    assert found - {"__pycache__"} == MODULES[by_name(image)]


def parts_of(image: Image) -> set[str]:
    """Return the parts of the project's library that are copied into an image and stay there."""
    (without,) = re.findall(r'"--without", (.*)\]', dockerfile(image))
    folders = {path.parent.name for path in (ROOT / "src/sympozium").glob("*/__init__.py")}
    return folders - set(json.loads(f"[{without}]"))


@pytest.mark.parametrize("image", PROGRAMS, ids=by_name)
def test_an_image_has_the_parts_of_the_library_that_its_program_imports_and_no_other(
    image: Image,
) -> None:
    (program,) = re.findall(r"packages/(sympozium_\w+)$", dockerfile(image), re.MULTILINE)
    graph = grimp.build_graph("sympozium", program, cache_dir=None)
    modules = {program, *graph.find_descendants(program)}
    imported = set().union(*(graph.find_upstream_modules(module) for module in modules))
    needed = {name.split(".")[1] for name in imported if name.startswith("sympozium.")}
    assert parts_of(image) == needed == PARTS[by_name(image)]


@pytest.mark.parametrize("image", PROGRAMS, ids=by_name)
def test_the_lock_file_has_a_hash_for_everything_in_an_image(image: Image) -> None:
    entries = pins(LOCK)
    names = distributions_of(image)
    assert [name for name in names if "--hash=sha256:" not in entries.get(name, "")] == []


def test_dockerfiles_differ_in_nothing_but_the_program() -> None:
    own = re.compile(
        r"^(#.*|RUN .*\"(libraries|program)\".*| +\"--libraries.*| +\"openai/.*|"
        r"COPY \S+/sympozium_.*|EXPOSE .*|LABEL .*|"
        r" +org\.opencontainers\.image\.description.*|CMD .*)$"
    )
    kept = {
        tuple(line for line in dockerfile(image).splitlines() if not own.match(line))
        for image in PROGRAMS
    }
    assert len(kept) == 1


def test_an_extra_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(CannotAssembleError, match=r"extra 'nobody'.*agent.*router"):
        wanted_by(PYPROJECT, "nobody")


def test_extras_of_requirements_and_markers_are_followed() -> None:
    needs = {
        "a": ["b[fast]>=1", "never; python_version < '3'"],
        "b": ["c; extra == 'fast'", "d; extra == 'slow'"],
        "c": ["a"],
    }
    fetched: list[str] = []
    found = closure(["A"], fetched.extend, lambda name: needs.get(name, []))
    assert found == {"a", "b", "c"}
    assert sorted(fetched) == ["a", "b", "c"]
