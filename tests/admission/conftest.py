"""The embedded API server with our kinds and policies."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_local.apiserver.server import serve
from tests.admission.calling import Caller, connected, install
from tests.admission.rules import SPACE
from tests.admission.webhooks import Installation


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
    async with serve(tmp_path / "data") as endpoint:
        context = ssl.create_default_context(cafile=str(endpoint.ca_file))
        headers = {"Authorization": f"Bearer {endpoint.token_file.read_text()}"}
        administrator = Endpoint(endpoint.url, endpoint.ca_file, endpoint.token_file)
        async with (
            connected(endpoint.url, context, headers) as caller,
            connect(administrator) as kube,
        ):
            await install(caller, tenant=SPACE)
            made = Installation(kube, caller, endpoint.url, endpoint.ca_file, tmp_path)
            await made.install(SPACE)
            yield made
