"""Lets pods reach a server that listens on this machine's loopback only.

    python -m tests.kube.relay ADDRESS PORT

forwards connections to ADDRESS:PORT to 127.0.0.1:PORT, and prints a line once it listens.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.kube.cluster import NODE_ADDRESS

CONNECT_TIMEOUT_S = 10.0
PIECE_BYTES = 64 * 1024


async def serve(address: str, port: int) -> None:
    """Forward connections until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await asyncio.start_server(lambda r, w: _forward(r, w, port), address, port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, there_writer))
            group.create_task(_copy(there_reader, writer))
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()


@contextmanager
def exposed(port: int) -> Iterator[str]:
    """Have pods reach 127.0.0.1:*port* while the block lasts; yield the address for them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.kube.relay", NODE_ADDRESS, str(port)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"listening\n"
        yield f"{NODE_ADDRESS}:{port}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
