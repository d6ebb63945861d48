"""Work that may be asked for again while it is being done, and is then waited for, not repeated."""

import asyncio
from collections.abc import Awaitable, Callable

from sympozium.contract.errors import TransientError


class Underway:
    """Works by key. One that its asker no longer waits for goes on: the next asker meets it."""

    def __init__(self) -> None:
        self._works: dict[str, asyncio.Future[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._ready = asyncio.Event()

    async def once(self, key: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work* unless the same is being done; return or raise what came of it.

        Raises:
            TransientError: The loop is stopping, and nothing new is begun.
        """
        future = self._works.get(key)
        if future is None:
            await self._ready.wait()
            if self._group is None:
                raise TransientError("cannot take an event: the channel is stopping")
            future = self._works[key] = asyncio.get_running_loop().create_future()
            self._group.create_task(self._do(key, work, future))
        await asyncio.shield(future)

    async def work_loop(self, stop: asyncio.Event) -> None:
        """Do what is asked for until *stop* is set; then finish it."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._ready.set()
            await stop.wait()
            self._group = None

    async def _do(
        self, key: str, work: Callable[[], Awaitable[None]], future: asyncio.Future[None]
    ) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - it is its asker's, who is told
            future.set_exception(error)
            future.exception()  # nobody may be left to ask
        except asyncio.CancelledError:
            future.cancel()
            raise
        else:
            future.set_result(None)
        finally:
            del self._works[key]
