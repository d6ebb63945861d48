"""The embedded API server with our kinds and policies."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium_local.apiserver.server import serve
from tests.admission.calling import Caller, connected, install
from tests.admission.rules import SPACE
from tests.admission.webhooks import Installation, installed


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serve(tmp_path / "data") as endpoint:
        context = ssl.create_default_context(cafile=str(endpoint.ca_file))
        headers = {"Authorization": f"Bearer {endpoint.token_file.read_text()}"}
        async with connected(endpoint.url, context, headers) as caller:
            await install(caller, tenant=SPACE)
            yield caller


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    """An API server with policies and webhook, and no controller yet."""
    async with installed(tmp_path) as made:
        yield made
