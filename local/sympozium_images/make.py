"""Builds the programs' images with whichever tool works here, and writes their bills of materials.

PYTHONPATH=local python3 -m sympozium_images.make --registry ghcr.io/example --tag 0.1.0 --push
"""

import argparse
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from sympozium_images.archive import ImageArchive
from sympozium_images.builders import ROOT, Builder, CannotBuildError, choose
from sympozium_images.programs import PROGRAMS, SERVERS, Image

BILL = "opt/sympozium/sbom.cdx.json"


def build(builder: Builder, image: Image, *, registry: str, tag: str, base: str) -> str:
    """Build one image and return its whole name."""
    name = f"{registry}/{image.name}:{tag}"
    arguments = {"VERSION": _version(), "REVISION": _revision()}
    if base:
        arguments["BASE"] = base
    builder.build_image(name, ROOT / image.folder / "Dockerfile", arguments)
    return name


def write_bill(builder: Builder, name: str, folder: Path) -> int:
    """Write what an image says it is made of into *folder*; return the image's size in bytes."""
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "image.tar"
        builder.save_image(name, archive)
        read = ImageArchive(archive)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target = folder / f"{name.rpartition('/')[2].partition(':')[0]}.cdx.json"
            target.write_text(read.text(BILL))
            return read.size_bytes
        finally:
            read.close()


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def _revision() -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Build what is asked for, and say what was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", default="localhost")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--base", default="", help="base image, best by digest")
    parser.add_argument("--builder", default="", help="docker, podman, buildah; else what works")
    parser.add_argument("--push", action="store_true")
    parser.add_argument("--servers", action="store_true", help="the servers for tests, too")
    parser.add_argument("--bills", type=Path, default=ROOT / "build/sbom", help="for the SBOMs")
    parser.add_argument("names", nargs="*", help="only these, e.g. agent channel-web")
    told = parser.parse_args()
    builder = choose(told.builder)
    base = told.base or builder.default_base()
    _say(f"building with {builder.name}, on {base or 'the base that the Dockerfiles name'}")
    for image in [*PROGRAMS, *(SERVERS if told.servers else ())]:
        if told.names and image.name.rpartition("/")[2] not in told.names:
            continue
        begun = time.monotonic()
        name = build(builder, image, registry=told.registry, tag=told.tag, base=base)
        took = f"{time.monotonic() - begun:.0f} s"
        if image in PROGRAMS:
            size = write_bill(builder, name, told.bills)
            took = f"{size / 1e6:.0f} MB, {took}"
        if told.push:
            builder.push_image(name)
        _say(f"{name} ({took})")
    _say(f"bills of materials are in {told.bills}")


def _say(text: str) -> None:
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main()
    except CannotBuildError as error:
        sys.exit(str(error))
