import asyncio

import pytest

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import CLOSE_TIMEOUT_S, Address, NatsBus, connect
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.errors import PermanentError
from sympozium.contract.subjects import reply_prefix
from tests.fixtures.nats_server import NatsServer, free_port


async def test_a_server_that_never_speaks_does_not_hold_a_program_for_ever() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = Address(f"nats://127.0.0.1:{port}", "test", reply_prefix("test"))
    async with asyncio.timeout(5 + 4 * CLOSE_TIMEOUT_S):
        with pytest.raises(BusUnavailableError, match="is nats-server up"):
            async with connect(address, patience_s=1):
                pass
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("url", ["nats://127.0.0.1:http", "nats://127.0.0.1:4222;127.0.0.1:4223"])
async def test_an_address_that_is_none_is_said(url: str) -> None:
    with pytest.raises(PermanentError, match="write it like nats://host:4222"):
        async with connect(Address(url, "test", reply_prefix("test"))):
            pass


async def test_one_of_several_servers_is_enough(nats_server: NatsServer) -> None:
    urls = f"nats://127.0.0.1:{free_port()},{nats_server.url}"
    async with connect(Address(urls, "test", reply_prefix("test"))) as connected:
        assert connected.is_connected


async def test_streams_that_cannot_be_made_are_said_with_what_lacks(bus: NatsBus) -> None:
    with pytest.raises(BusUnavailableError, match=r"3 times each: .* are there that many servers"):
        await ensure_bus(bus.client, replicas=3, patience_s=0)


async def test_a_program_ends_when_its_connection_is_closed_for_good(bus: NatsBus) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        staying = group.create_task(_ends_with_an_error(bus, stop))
        await asyncio.sleep(0)
        await bus.client.close()
        await staying
    assert not stop.is_set()


async def test_a_program_that_is_told_to_stop_lets_go_of_the_bus(bus: NatsBus) -> None:
    stop = asyncio.Event()
    stop.set()
    await bus.stay_connected(stop)


async def _ends_with_an_error(bus: NatsBus, stop: asyncio.Event) -> None:
    with pytest.raises(BusUnavailableError, match="closed for good"):
        await bus.stay_connected(stop)


async def test_a_server_that_speaks_before_it_has_admitted_us_is_asked_again() -> None:
    info = b'INFO {"server_id":"x","version":"2.15.0","max_payload":1048576,"headers":true}\r\n'
    connections = 0

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        before_pong = info if connections == 1 else b""
        writer.write(info)
        try:
            while line := await reader.readline():
                if line.startswith(b"PING"):
                    writer.write(before_pong + b"PONG\r\n")
        finally:
            writer.close()

    server = await asyncio.start_server(admit, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = Address(f"nats://127.0.0.1:{port}", "test", reply_prefix("test"))
    async with server, asyncio.timeout(10), connect(address, patience_s=5) as bus:
        await bus.client.flush(timeout=2)
        assert bus.is_connected
        assert connections > 1
