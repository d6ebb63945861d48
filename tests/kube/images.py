"""The images that a cluster for tests needs: built when their content changed, and loaded."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sympozium_images.builders import ROOT, choose
from sympozium_images.make import build
from sympozium_images.programs import PROGRAMS, SERVERS, Image
from tests.kube.cluster import Clients, KubeCluster

REGISTRY, TAG = "localhost", "dev"
LOADED = "sympozium-test-images"
"""ConfigMap in kube-system: the content hash of each image that the cluster was given."""

NEEDED = {"controller", "router", "agent", "channel-web", "nats", "postgresql"}
"""What a release runs that has no bots."""

ALL = {image.name.rpartition("/")[2] for image in (*PROGRAMS, *SERVERS)}

CHANGED = "SYMPOZIUM_TEST_IMAGES_CHANGED"
"""The variable in which tests/kube/run.py says which images it has just loaded."""

SHARED = (
    "pyproject.toml",
    "requirements.lock",
    "local/sympozium_images/assemble.py",
    "src/sympozium",
)


def content_hash(image: Image) -> str:
    """Return a hash of everything that an image is made of, but for its base."""
    folder = ROOT / image.folder
    sources = [folder] if image in SERVERS else [ROOT / name for name in SHARED] + [folder]
    digest = hashlib.sha256()
    for source in sources:
        for path in sorted([source] if source.is_file() else source.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def provide(cluster: KubeCluster, clients: Clients, names: Collection[str] = NEEDED) -> list[str]:
    """Have images in the cluster as the sources are now; return those that changed.

    Not from within the cluster's network, which leads to no package index.
    """
    clients.kubectl(
        *("-n", "kube-system", "apply", "-f", "-"),
        text=json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": LOADED}}),
    )
    told = clients.get("-n", "kube-system", "configmap", LOADED).get("data") or {}
    builder = choose("cluster")
    base = builder.default_base()
    changed = []
    for image in (*PROGRAMS, *SERVERS):
        if image.name.rpartition("/")[2] not in names:
            continue
        key, wanted = image.name.replace("/", "."), content_hash(image)
        if told.get(key) == wanted:
            continue
        name = build(builder, image, registry=REGISTRY, tag=TAG, base=base)
        cluster.load(name)
        patch = json.dumps({"data": {key: wanted}})
        clients.kubectl("-n", "kube-system", "patch", "configmap", LOADED, "-p", patch)
        changed.append(name)
    return changed


def values() -> dict[str, dict[str, Any]]:
    """Return the chart's values that make it use these images."""

    def server(name: str) -> dict[str, str]:
        return {"repository": f"{REGISTRY}/sympozium-test/{name}", "tag": TAG, "digest": ""}

    return {
        "images": {"registry": REGISTRY, "tag": TAG},
        "nats": {"image": server("nats")},
        "sessions": {"postgresql": {"image": server("postgresql")}},
    }


def archive_of(image: Image, folder: Path) -> Path:
    """Write an image that was built to a file and return its path."""
    archive = folder / f"{image.name.replace('/', '-')}.tar"
    choose("cluster").save_image(f"{REGISTRY}/{image.name}:{TAG}", archive)
    return archive
