import asyncio

import pytest

from sympozium.bus.nats import CLOSE_TIMEOUT_S, Address, connect
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.subjects import reply_prefix


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
