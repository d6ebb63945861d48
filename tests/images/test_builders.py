"""Which tool builds the images, where the machine has some of them and some do not work."""

import os
from pathlib import Path

import pytest

from sympozium_images import builders
from sympozium_images.builders import CannotBuildError, choose

DOES_NOT_WORK = "echo 'no daemon answers' >&2; exit 1"
WRITES_DOWN = 'echo "$@" >> "$0.said"'


class Tools:
    """The commands of a machine, as programs that do what a test says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, script: str = WRITES_DOWN) -> None:
        """Install a command."""
        command = self._folder / name
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)

    def said(self, name: str) -> list[str]:
        """Return the command lines that a command was given."""
        return (self._folder / f"{name}.said").read_text().splitlines()


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """A machine on which nothing can build an image."""
    folder = tmp_path / "bin"
    folder.mkdir()
    os.symlink("/bin/sh", folder / "sh")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(builders, "CLUSTER", tmp_path / "no-cluster")
    return Tools(folder)


@pytest.mark.parametrize("name", ["docker", "podman", "buildah"])
def test_whichever_tool_is_there_is_used(tools: Tools, name: str) -> None:
    tools.put(name)
    builder = choose()
    assert builder.name == name
    builder.build_image("reg/one:tag", Path("one/Dockerfile"), {"BASE": "base@sha256:1"})
    built = tools.said(name)[-1]
    assert built.startswith("build ")
    assert "-t reg/one:tag -f one/Dockerfile --build-arg BASE=base@sha256:1" in built


def test_a_tool_that_is_there_and_does_not_work_is_passed_over(tools: Tools) -> None:
    tools.put("docker", DOES_NOT_WORK)
    tools.put("podman")
    assert choose().name == "podman"
    with pytest.raises(CannotBuildError, match=r"docker.*no daemon answers"):
        choose("docker")


def test_where_nothing_works_each_says_why(tools: Tools) -> None:
    tools.put("docker", DOES_NOT_WORK)
    with pytest.raises(CannotBuildError) as raised:
        choose()
    assert "no daemon answers" in str(raised.value)
    assert "podman: not installed" in str(raised.value)
    assert "install docker, podman or buildah" in str(raised.value)


def test_a_tool_that_nobody_knows_is_refused_with_those_that_are(tools: Tools) -> None:
    tools.put("docker")
    with pytest.raises(CannotBuildError, match=r"kaniko.*docker, podman"):
        choose("kaniko")
