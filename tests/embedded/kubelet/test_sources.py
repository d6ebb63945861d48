"""What a pod refers to cannot be read while the API server is away, and a kubelet says so."""

import pytest

from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_local.kubelet.sources import SourceAwayError, Sources
from tests.fixtures.nats_server import free_port


async def test_a_server_that_is_away_is_told_from_a_secret_that_is_missing() -> None:
    async with connect(Endpoint(f"http://127.0.0.1:{free_port()}")) as kube:
        sources = Sources(kube, "default")
        with pytest.raises(SourceAwayError, match=r"^failed to sync secret cache: "):
            await sources.secret("key")
        with pytest.raises(SourceAwayError, match=r"^failed to sync configmap cache: "):
            await sources.config_map("settings")
