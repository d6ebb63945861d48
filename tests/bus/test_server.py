"""What the configured server keeps of those who are gone."""

import json
import urllib.request
from pathlib import Path

from sympozium.bus.nats import Address, connect
from sympozium.bus.server import (
    MAX_CLOSED_CLIENTS,
    PodServer,
    ServerAccess,
    new_issuer,
    server_config,
)
from sympozium.contract.subjects import reply_prefix
from tests.fixtures.nats_server import NatsServer, free_port


async def test_of_connections_that_are_over_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    pod = PodServer("n0", max_store_bytes=4 << 30, monitor_port=free_port())
    access = ServerAccess(new_issuer().public_key, "controller", "secret")
    server.config = server_config(access, port=server.port, data_dir=tmp_path, pod=pod)
    prefix = reply_prefix("controller")
    address = Address(server.url, "test", prefix, user="controller", password="secret")
    await server.start()
    try:
        for _ in range(MAX_CLOSED_CLIENTS + 20):
            async with connect(address):
                pass
        url = f"http://127.0.0.1:{pod.monitor_port}/connz?state=closed&limit=1000"
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: ASYNC210 - our own
            told = json.load(answer)
    finally:
        server.kill()
    assert len(told["connections"]) == MAX_CLOSED_CLIENTS
