"""Opening the session store, also where its server is not up yet.

A program that ends because something is away is started again ever more rarely, up
to five minutes apart. One that waits goes on as soon as it is there.
"""

import asyncio
import logging
from contextlib import AsyncExitStack

from sympozium.contract.errors import PermanentError
from sympozium.runtime.health import Health
from sympozium.runtime.loops import pause
from sympozium.store.ports import SessionStore, StoreDeniedError, StoreUnavailableError
from sympozium.store.sql import open_store
from sympozium_router.settings import Settings

log = logging.getLogger(__name__)

TRY_AGAIN_S = 0.5


async def when_there(
    settings: Settings, stack: AsyncExitStack, stop: asyncio.Event, health: Health
) -> SessionStore | None:
    """Return the store, open as long as *stack* is; None: *stop* was set before it was there.

    Raises:
        PermanentError: A person must act: the URL, the password, the database, its schema.
    """
    said = ""

    async def missing() -> str:
        return said or "it is starting"

    health.watch(missing)
    while not stop.is_set():
        try:
            return await stack.enter_async_context(
                open_store(settings.store_url, connections=settings.store_connections)
            )
        except StoreDeniedError as error:
            raise PermanentError(f"{error}; see SYMPOZIUM_STORE_URL") from None
        except StoreUnavailableError as error:
            if str(error) != said:
                log.warning("store not there yet", extra={"action": "retry", "cause": str(error)})
            said = str(error)
        await pause(TRY_AGAIN_S, stop)
    return None
