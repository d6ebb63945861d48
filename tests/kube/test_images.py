"""What is in the images, as they were built, and that it runs as locked down as it is meant to."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_images.archive import ImageArchive
from sympozium_images.make import BILL
from sympozium_images.programs import PROGRAMS, Image
from tests.images.contents import MODULES, PARTS, by_name
from tests.kube.cluster import Clients, KubeCluster
from tests.kube.images import REGISTRY, TAG, archive_of

pytestmark = pytest.mark.timeout(180)
SITE = "opt/sympozium/"
LARGEST_BYTES = 110_000_000
SHELLS = {"sh", "bash", "dash", "busybox", "ash", "zsh"}
PACKAGE_MANAGERS = {"apt", "apt-get", "dpkg", "pip", "pip3", "apk", "rpm"}


@pytest.fixture(scope="module", params=PROGRAMS, ids=by_name)
def image(request: pytest.FixtureRequest) -> Image:
    """One image of ours."""
    found: Image = request.param
    return found


@pytest.fixture(scope="module")
def archive(
    image: Image, kube_cluster: KubeCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ImageArchive]:
    """What is in it."""
    opened = ImageArchive(archive_of(image, tmp_path_factory.mktemp("image")))
    yield opened
    opened.close()


def test_an_image_can_import_what_is_listed_and_nothing_more(
    image: Image, archive: ImageArchive
) -> None:
    below = {name.removeprefix(SITE).split("/")[0] for name in archive.files if SITE in name}
    found = {name.split(".")[0] for name in below if not name.endswith((".dist-info", ".json"))}
    assert found - {"__pycache__"} == MODULES[by_name(image)]
    library = f"{SITE}sympozium/"
    parts = [name.removeprefix(library).split("/") for name in archive.files if library in name]
    folders = {names[0] for names in parts if len(names) > 1}
    assert folders - {"__pycache__"} == PARTS[by_name(image)]


def test_an_image_has_no_shell_no_package_manager_and_nobody_but_its_user(
    archive: ImageArchive,
) -> None:
    commands = {Path(name).name for name in archive.files if "/bin/" in f"/{name}"}
    assert commands & (SHELLS | PACKAGE_MANAGERS) == set()
    assert archive.config["User"] == "65532:65532"
    assert archive.size_bytes < LARGEST_BYTES


def test_the_image_that_is_pulled_most_is_the_smallest(
    kube_cluster: KubeCluster, tmp_path: Path
) -> None:
    sizes = {}
    for image in PROGRAMS:
        opened = ImageArchive(archive_of(image, tmp_path))
        sizes[by_name(image)] = opened.size_bytes
        opened.close()
    assert min(sizes, key=lambda name: sizes[name]) == "agent", sizes


def test_an_image_says_what_it_is_made_of(image: Image, archive: ImageArchive) -> None:
    bill = json.loads(archive.text(BILL))
    listed = {one["purl"].partition("@")[0] for one in bill["components"]}
    installed = {
        name.removeprefix(SITE).split("/")[0].partition("-")[0].replace("_", "-").lower()
        for name in archive.files
        if ".dist-info/METADATA" in name
    }
    assert {f"pkg:pypi/{name}" for name in installed} <= {one.replace("_", "-") for one in listed}
    assert any("libc" in one or "libssl" in one for one in listed)
    assert archive.config["Labels"]["org.opencontainers.image.title"] == image.name


def test_every_module_of_a_program_can_be_imported_where_nothing_can_be_written(
    image: Image, kube_clients: Clients
) -> None:
    name = f"imports-{by_name(image)}"
    pod = import_pod(name, f"{REGISTRY}/{image.name}:{TAG}")
    kube_clients.kubectl("-n", "default", "delete", "pod", name, "--ignore-not-found")
    kube_clients.apply(json.dumps(pod))
    try:
        kube_clients.kubectl(
            *("-n", "default", "wait", f"pod/{name}", "--timeout=90s"),
            "--for=jsonpath={.status.phase}=Succeeded",
        )
    finally:
        said = kube_clients.run_kubectl("-n", "default", "logs", name).stdout
        kube_clients.kubectl("-n", "default", "delete", "pod", name, "--wait=false")
    assert int(said) > 50


IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(len(sys.modules))
"""


def import_pod(name: str, image: str) -> dict[str, object]:
    """Describe a pod that imports everything of the program in *image*."""
    short = image.rpartition("/")[2].partition(":")[0]
    package = f"sympozium_{short.removeprefix('channel-')}"
    container = {
        "name": "imports",
        "image": image,
        "command": ["python", "-c", IMPORT_ALL, package],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }
