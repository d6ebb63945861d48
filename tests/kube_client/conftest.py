"""A real API server, and its administrator's client."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.kube.client import Kube
from tests.fixtures.api_server import api_server


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Kube]:
    """A client of an API server that holds nothing of ours yet."""
    async with api_server(tmp_path / "api") as (kube, _):
        yield kube
