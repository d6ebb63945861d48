"""The tools that can build an image; each is tried before it is used."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROBE_TIMEOUT_S = 30
CLUSTER = Path(os.environ.get("SYMPOZIUM_TEST_CLUSTER") or ROOT / "../shared/kube/cluster")
"""The real cluster for tests, which builds images for itself."""


class CannotBuildError(Exception):
    """Why not, in a sentence with what to do."""


@dataclass(frozen=True)
class Builder:
    """Command lines of one tool; what differs from image to image is put behind them.

    Attributes:
        probe: Succeeds where the tool works, not only where it is installed.
        save: Archive and image are put in for ``{archive}`` and ``{image}``.
        base: Prints the base image to use where nobody names one.
    """

    name: str
    probe: tuple[str, ...]
    build: tuple[str, ...]
    save: tuple[str, ...]
    push: tuple[str, ...]
    base: tuple[str, ...] = ()

    def trouble(self) -> str:
        """Return why this tool cannot be used here, or "" where it can."""
        if shutil.which(self.probe[0]) is None:
            return "not installed"
        try:
            run(self.probe, timeout_s=PROBE_TIMEOUT_S)
        except CannotBuildError as error:
            return str(error)
        return ""

    def build_image(self, image: str, dockerfile: Path, arguments: dict[str, str]) -> None:
        """Build an image from the root of the repository.

        Raises:
            CannotBuildError: The tool's last words are in it.
        """
        words = [
            word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")
        ]
        run([*self.build, "-t", image, "-f", str(dockerfile), *words, str(ROOT)])

    def save_image(self, image: str, archive: Path) -> None:
        """Write an image to a file, in the format of ``docker save``."""
        archive.unlink(missing_ok=True)
        run([word.format(archive=archive, image=image) for word in self.save])

    def push_image(self, image: str) -> None:
        """Push an image to the registry that is in its name."""
        run([*self.push, image])

    def default_base(self) -> str:
        """Return the base image of this tool, or "" for that of the Dockerfiles."""
        return run(self.base).strip() if self.base else ""


def _cluster_storage() -> list[str]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sympozium-kube"
    driver = os.environ.get("STORAGE_DRIVER", "overlay")
    return [
        "buildah", "--root", f"{cache}/storage/{driver}",
        "--runroot", f"{cache}/storage/run-{driver}", "--storage-driver", driver,
    ]  # fmt: skip


def builders() -> list[Builder]:
    """Return all tools, the preferred first."""
    buildah_save = ("push", "{image}", "docker-archive:{archive}:{image}")
    storage = _cluster_storage()
    return [
        Builder(
            "docker",
            ("docker", "info"),
            ("docker", "build"),
            ("docker", "save", "-o", "{archive}", "{image}"),
            ("docker", "push"),
        ),
        Builder(
            "podman",
            ("podman", "info"),
            ("podman", "build"),
            ("podman", "save", "--format", "docker-archive", "-o", "{archive}", "{image}"),
            ("podman", "push"),
        ),
        Builder(
            "cluster",
            (str(CLUSTER), "base"),
            (str(CLUSTER), "image", "--no-load"),
            (*storage, *buildah_save),
            (*storage, "push"),
            (str(CLUSTER), "base"),
        ),
        Builder(
            "buildah",
            ("buildah", "info"),
            ("buildah", "build", "--layers"),
            ("buildah", *buildah_save),
            ("buildah", "push"),
        ),
    ]


def choose(name: str = "") -> Builder:
    """Return the tool of that name, or the first that works here.

    Raises:
        CannotBuildError: There is none; it says of each why not.
    """
    known = {one.name: one for one in builders()}
    if name and name not in known:
        raise CannotBuildError(f"cannot build with {name!r}: BUILDER is one of {', '.join(known)}")
    troubles = []
    for one in [known[name]] if name else known.values():
        if not (trouble := one.trouble()):
            return one
        troubles.append(f"{one.name}: {trouble}")
    raise CannotBuildError(
        f"cannot build images: {'; '.join(troubles)}; install docker, podman or buildah"
    )


def run(command: Sequence[str], timeout_s: float = 1800) -> str:
    """Run a command and return what it printed.

    Raises:
        CannotBuildError: With the command and its last words.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise CannotBuildError(f"{json.dumps(command)} took longer than {timeout_s:g} s") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise CannotBuildError(f"{' '.join(command[:3])} failed: {said}")
    return done.stdout
