"""Puts together what an image of ours holds; runs inside the build and needs only Python and pip.

An image is made of two trees. The runtime is the interpreter, its standard library and the
shared libraries they load: no shell, no package manager, nothing else of the base. The
program is one extra of the project in the versions of the lock file, checked by their
hashes, and the project's own packages. Both are compiled, since nothing can be written
where they run.
"""

import argparse
import compileall
import json
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

SITE = Path("opt/sympozium")
"""Where the program is in its image; PYTHONPATH names it."""

BILL = SITE / "sbom.cdx.json"
"""Where every image says what it is made of (CycloneDX)."""

LEFT_OUT = (
    "site-packages", "dist-packages", "__pycache__", "test", "tests", "idlelib", "lib2to3",
    "tkinter", "turtledemo", "turtle.py", "ensurepip", "venv", "pydoc_data", "sitecustomize.py",
    "config-*", "distutils", "msilib", "curses", "LICENSE.txt", "_tkinter.*", "_curses*.so",
    "readline.*.so", "_dbm.*.so", "_gdbm.*.so", "nis.*.so", "ossaudiodev.*.so", "_test*.so",
    "_xxtest*.so", "_ctypes_test.*", "xxlimited*.so",
)  # fmt: skip
"""What no program here asks of the standard library."""

NOT_RUN = ("tests", "test", "*.pyi", "*.pyx", "*.pxd", "*.pxi", "*.c", "*.h", "__pycache__")
"""What libraries bring that no interpreter reads."""

SOURCE_ONLY = "nkeys"
"""Published without a wheel: its source is checked by its hash, and pip fetches setuptools to
build it."""

Requires = Callable[[str], Sequence[str]]


class CannotAssembleError(Exception):
    """Why not, in a sentence with what to do."""


def wanted_by(pyproject: str, extra: str) -> list[str]:
    """Return the requirements of the project with one of its extras."""
    project = tomllib.loads(pyproject)["project"]
    if extra not in project["optional-dependencies"]:
        known = ", ".join(sorted(project["optional-dependencies"]))
        raise CannotAssembleError(f"cannot find the extra {extra!r}; pyproject.toml has {known}")
    return [*project["dependencies"], *project["optional-dependencies"][extra]]


def closure(
    wanted: Iterable[str], fetch: Callable[[set[str]], None], requires: Requires
) -> set[str]:
    """Return the names of all that *wanted* needs, itself included.

    *fetch* is told which distributions are met for the first time, before *requires* is
    asked what they in turn need.
    """
    frontier = [(Requirement(text), "") for text in wanted]
    seen: set[tuple[str, str]] = set()
    while frontier:
        asked: list[tuple[str, str]] = [
            (canonicalize_name(one.name), extra)
            for one, of_extra in frontier
            if one.marker is None or one.marker.evaluate({"extra": of_extra})
            for extra in ("", *one.extras)
        ]
        fresh = {pair for pair in asked if pair not in seen}
        fetch({name for name, _ in fresh} - {name for name, _ in seen})
        seen |= fresh
        frontier = [(Requirement(text), extra) for name, extra in fresh for text in requires(name)]
    return {name for name, _ in seen}


def pins(lock: str) -> dict[str, str]:
    """Return the lock file's entry, with its hashes, for each name."""
    entries = re.findall(r"^[a-zA-Z0-9].*(?:\n[ \t].*)*", lock, re.MULTILINE)
    return {canonicalize_name(re.split(r"[=\[ ]", entry)[0]): entry for entry in entries}


def install(wanted: Sequence[str], lock: str, site: Path) -> set[str]:
    """Install *wanted* and what it needs into *site*, every file checked by its hash."""
    entries = pins(lock)

    def fetch(names: set[str]) -> None:
        if missing := sorted(names - entries.keys()):
            raise CannotAssembleError(
                f"cannot install {', '.join(missing)}: not in the lock file; run make lock"
            )
        if names:
            _pip_install([entries[name] for name in sorted(names)], site)

    return closure(wanted, fetch, lambda name: _found(site)[name].requires or [])


def _pip_install(entries: Sequence[str], site: Path) -> None:
    listed = site.parent / "requirements.txt"
    listed.write_text("\n".join(entries) + "\n")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-cache-dir",
        "--no-deps",
        "--upgrade",
    ]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-binary", SOURCE_ONLY]
    command += [
        "--root-user-action",
        "ignore",
        "--no-compile",
        "--target",
        str(site),
        "-r",
        str(listed),
    ]
    subprocess.run(command, check=True)
    listed.unlink()


def _found(site: Path) -> dict[str, Distribution]:
    return {canonicalize_name(one.name): one for one in distributions(path=[str(site)])}


def remove(tree: Path, patterns: Iterable[str]) -> None:
    """Delete what matches one of the patterns, at any depth."""
    for pattern in patterns:
        for path in [*tree.rglob(pattern)]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def compile_tree(tree: Path, seen_as: Path) -> None:
    """Compile all modules, for good: nobody looks again whether the source is newer."""
    compileall.compile_dir(
        tree,
        quiet=2,
        maxlevels=50,
        stripdir=str(tree),
        prependdir=str(seen_as),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def shared_libraries(tree: Path) -> set[Path]:
    """Return the files outside *tree* that its binaries load, the loader included."""
    found: set[Path] = set()
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink() and _is_binary(path):
            said = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False)
            found |= {Path(one) for one in re.findall(r"(/\S+) \(0x", said.stdout)}
    return {path for path in found if not path.is_relative_to(tree)}


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def make_runtime(tree: Path) -> None:
    """Make a tree in which the interpreter that runs this runs, and nothing else does."""
    tree.mkdir(parents=True)
    for link in ("bin", "lib", "lib64"):
        if (there := Path("/", link)).is_symlink():
            (tree / link).symlink_to(there.readlink())
            _inside(tree, there.resolve()).mkdir(parents=True, exist_ok=True)
    interpreter = Path(sys.executable).resolve()
    stdlib = Path(sysconfig.get_path("stdlib"))
    _copy(interpreter, tree)
    for name in ("python", "python3"):
        (_inside(tree, interpreter).parent / name).symlink_to(interpreter.name)
    shutil.copytree(
        stdlib, _inside(tree, stdlib), symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT)
    )
    for library in sorted(shared_libraries(tree)):
        _copy(library, tree)
    _write_accounts(tree)
    compile_tree(_inside(tree, stdlib), stdlib)
    (tree / "tmp").mkdir(mode=0o777)
    (tree / "tmp").chmod(0o1777)


def _inside(tree: Path, path: Path) -> Path:
    return tree / path.relative_to("/")


def _copy(path: Path, tree: Path) -> None:
    """Copy a file to the same place in *tree*; of a link, what it leads to."""
    target = _inside(tree, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(path, target)


def _write_accounts(tree: Path) -> None:
    etc = tree / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "passwd").write_text(
        "root:x:0:0:root:/:/nologin\nsympozium:x:65532:65532:sympozium:/tmp:/nologin\n"
    )
    (etc / "group").write_text("root:x:0:\nsympozium:x:65532:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    if (cache := Path("/etc/ld.so.cache")).exists():
        shutil.copy2(cache, etc)


def make_libraries(tree: Path, extra: str) -> None:
    """Install an extra into *tree*, without what no interpreter reads."""
    site = tree / SITE
    site.mkdir(parents=True)
    lock = Path("requirements.lock").read_text()
    install(wanted_by(Path("pyproject.toml").read_text(), extra), lock, site)
    remove(site, NOT_RUN)
    for folder in ("bin", "include"):
        shutil.rmtree(site / folder, ignore_errors=True)
    for library in sorted(shared_libraries(site)):
        if not _inside(Path("/runtime"), library).exists():
            _copy(library, tree)


def make_server(tree: Path, name: str) -> None:
    """Put the commands that one wheel of the lock file brings into *tree*."""
    site = tree / "site"
    site.mkdir(parents=True)
    _pip_install([pins(Path("requirements.lock").read_text())[name]], site)
    shutil.copytree(site / "bin", tree / "usr/bin")
    shutil.rmtree(site)


def make_program(tree: Path, *, without: Sequence[str]) -> None:
    """Add the project's packages from /build/packages, compile everything, write the bill."""
    site = tree / SITE
    for package in sorted(Path("packages").iterdir()):
        shutil.copytree(
            package,
            site / package.name,
            ignore=shutil.ignore_patterns("__pycache__", "Dockerfile", "*.md"),
        )
    for part in without:
        shutil.rmtree(site / "sympozium" / part)
    compile_tree(site, Path("/", SITE))
    (tree / BILL).write_text(json.dumps(bill_of_materials(tree), indent=1) + "\n")


def bill_of_materials(tree: Path) -> dict[str, object]:
    """Return what the image is made of, as CycloneDX: libraries, interpreter, system packages."""
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    components = [_python_component(one) for _, one in sorted(_found(tree / SITE).items())]
    interpreter = ".".join(str(part) for part in sys.version_info[:3])
    components.append(_component("application", "python", interpreter, "pkg:generic/python"))
    components += system_components([Path("/runtime"), tree])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": _component("application", "sympozium", version, "pkg:generic/sympozium")
        },
        "components": components,
    }


def _component(kind: str, name: str, version: str, purl: str) -> dict[str, object]:
    return {"type": kind, "name": name, "version": version, "purl": f"{purl}@{version}"}


def _python_component(one: Distribution) -> dict[str, object]:
    name = canonicalize_name(one.name)
    component = _component("library", name, one.version, f"pkg:pypi/{name}")
    told = one.metadata.json
    licence = str(told.get("license_expression") or told.get("license") or "")
    if licence and "\n" not in licence:
        component["licenses"] = [{"license": {"name": licence}}]
    return component


def system_components(trees: Iterable[Path]) -> list[dict[str, object]]:
    """Return the base's packages of which a file is in one of the trees; none without dpkg."""
    if shutil.which("dpkg-query") is None:
        return []
    files = [
        f"/{path.relative_to(tree)}"
        for tree in trees
        for path in tree.rglob("*")
        if path.is_file() and not path.is_symlink() and SITE not in path.relative_to(tree).parents
    ]
    names: set[str] = set()
    for start in range(0, len(files), 500):
        # A merged /usr keeps files under names that the package database does not know.
        asked = [
            one for file in files[start : start + 500] for one in (file, file.removeprefix("/usr"))
        ]
        said = subprocess.run(
            ["dpkg-query", "--search", *asked], capture_output=True, text=True, check=False
        )
        names |= {line.partition(": ")[0].partition(":")[0] for line in said.stdout.splitlines()}
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *sorted(names)],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return [
        _component("library", name, version, f"pkg:deb/debian/{name}")
        for name, version in zip(listed[::2], listed[1::2], strict=True)
    ]


def main(arguments: Sequence[str]) -> None:
    """Make one of the trees; see the Dockerfiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("runtime", help="make /runtime")
    commands.add_parser("libraries", help="make /program").add_argument("extra")
    commands.add_parser("server", help="make /server, for tests").add_argument("name")
    program = commands.add_parser("program", help="complete /program")
    program.add_argument("--without", nargs="*", default=[], help="parts of the library")
    told = parser.parse_args(arguments)
    if told.command == "runtime":
        make_runtime(Path("/runtime"))
    elif told.command == "libraries":
        make_libraries(Path("/program"), told.extra)
    elif told.command == "server":
        make_server(Path("/server"), told.name)
    else:
        make_program(Path("/program"), without=told.without)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CannotAssembleError as error:
        sys.exit(str(error))
