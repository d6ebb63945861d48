"""The walk from nothing to an answer and back to nothing, on a cluster of its own."""

import subprocess
import sys

import pytest

from sympozium_images.builders import ROOT
from tests.kube.cluster import KubeCluster, outside

WALK = (sys.executable, "-m", "tests.kube.first_install")
TIMEOUT_S = 600


@pytest.mark.timeout(TIMEOUT_S + 60)
def test_an_installation_answers_and_leaves_nothing(
    kube_cluster: KubeCluster, kube_images: list[str]
) -> None:
    """The images are those that the session has built; the cluster beside it has another name."""
    done = subprocess.run(
        outside([*WALK, "--name", f"{kube_cluster.name}-first", "--as-built"]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing is left" in done.stdout
