"""API servers as programs of their own, for a command line that is one too."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sympozium_local.cli.access.endpoint import endpoint_of
from sympozium_local.cli.access.kubeconfig import read_kubeconfig
from sympozium_local.cli.cluster import Cluster
from tests.cli.apis import Api, install
from tests.cli.stand_in import Front, front
from tests.fixtures.nats_server import free_port
from tests.local.command_line import CommandLine

START_TIMEOUT_S = 60.0


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API server that has never heard of Sympozium."""
    with running_api(tmp_path_factory.mktemp("bare")) as api:
        yield api


@pytest.fixture(scope="session")
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("installed")) as api:
        install(api.cluster)
        yield api


@pytest.fixture
def installed(_installed: Api) -> Iterator[Api]:
    """An API server with our kinds and rights; what a test breaks with `broken` is mended."""
    yield _installed
    _installed.mend()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Front]:
    """A server in the place of an API server, which answers what a test tells it to."""
    with front(tmp_path) as running:
        yield running


@pytest.fixture
def sympozium(tmp_path: Path) -> CommandLine:
    """A command line of somebody who never started a system here."""
    return CommandLine(tmp_path / "home", free_port())


@contextmanager
def running_api(folder: Path) -> Iterator[Api]:
    """Run the embedded API server, alone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sympozium_local.apiserver", "--data-dir", str(folder)],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    kubeconfig = folder / "admin.kubeconfig"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not kubeconfig.exists() or not kubeconfig.stat().st_size:
            assert process.poll() is None, "the API server ended"
            assert time.monotonic() < deadline, "the API server does not start"
            time.sleep(0.05)
        yield Api(kubeconfig, Cluster(endpoint_of(read_kubeconfig([kubeconfig]).context())))
    finally:
        process.terminate()
        process.wait(10)
