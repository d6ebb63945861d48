"""A real API server, and its administrator's client."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium_local.apiserver.server import serve


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Kube]:
    """A client of an API server that holds nothing of ours yet."""
    directory = tmp_path / "api"
    directory.mkdir()
    async with serve(directory) as served:
        endpoint = Endpoint(served.url, served.ca_file, served.token_file)
        async with connect(endpoint) as kube:
            yield kube
