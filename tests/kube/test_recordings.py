"""What the embedded API server is held to is what a real one answers today.

The answers were recorded on a cluster on which nothing was installed, so this has one of its own.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sympozium_images.builders import CLUSTER, ROOT
from tests.differential.cases.pods import IMAGE
from tests.kube.cluster import KubeCluster, outside

CHECK = (sys.executable, "-m", "tests.differential.record", "--check")
DOCKERFILE = "ARG BASE\nFROM ${BASE}\n"
TIMEOUT_S = 600


@pytest.fixture
def bare_cluster(kube_cluster: KubeCluster, tmp_path: Path) -> Iterator[KubeCluster]:
    """A cluster of which nothing is there but the image that pods of the cases run."""
    cluster = KubeCluster(f"{kube_cluster.name}-recorded")
    cluster.up()
    try:
        folder = tmp_path / "image"
        folder.mkdir()
        (folder / "Dockerfile").write_text(DOCKERFILE)
        base = subprocess.check_output(outside([str(CLUSTER), "base"]), text=True).strip()
        cluster.tool("image", "-t", IMAGE, "--build-arg", f"BASE={base}", str(folder))
        yield cluster
    finally:
        cluster.down()


@pytest.mark.timeout(TIMEOUT_S + 180)
def test_a_real_cluster_answers_as_was_recorded(bare_cluster: KubeCluster, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(bare_cluster.kubeconfig)
    inside = [str(CLUSTER), "exec", "--name", bare_cluster.name, "--", *CHECK]
    done = subprocess.run(
        outside(inside),
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
