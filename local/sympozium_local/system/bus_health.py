"""Whether the bus stores what it is given.

A server whose disk was full refuses all that comes for a stream, also when there is room
again, until it is started anew. It accepts connections meanwhile, and says that it is
unavailable to whoever asks.
"""

import asyncio
import contextlib
import json
import shutil
from pathlib import Path

from sympozium_local.system.bus_access import CONTROLLER_USER

TIMEOUT_S = 2.0

ENOUGH_ROOM_BYTES = 64 << 20
"""With less on the disk a new start would meet the same, again and again."""


async def stores_or_cannot(port: int, password: str, data: Path) -> bool:
    """Return False if the server at *port* of 127.0.0.1 should be started anew.

    That is where it cannot store, and there is room for its data. A server that does not
    answer has another trouble, which a new start may make worse.

    Args:
        port: Where it listens.
        password: Of the controller, who may ask.
        data: Folder on the disk that it stores to.
    """
    import nats.errors
    from nats.aio.client import Client

    from sympozium.bus.server import HEALTH_SUBJECT
    from sympozium.contract.subjects import reply_prefix

    client = Client()
    with contextlib.suppress(OSError, nats.errors.Error):
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await client.connect(
                    f"nats://127.0.0.1:{port}",
                    user=CONTROLLER_USER,
                    password=password,
                    inbox_prefix=reply_prefix("controller"),
                    allow_reconnect=False,
                    error_cb=_unsaid,
                )
                answer = await client.request(HEALTH_SUBJECT, b"{}", timeout=TIMEOUT_S)
        finally:
            await client.close()
        status = json.loads(answer.data).get("data", {}).get("status", "ok")
        return status == "ok" or shutil.disk_usage(data).free < ENOUGH_ROOM_BYTES
    return True


async def _unsaid(_error: Exception) -> None:
    """Say nothing of a connection that breaks: it is asked again."""
