"""Cancellations that the client library swallows: heeding one, and ending tasks for certain."""

import asyncio
from typing import Any

AGAIN_AFTER_S = 0.1


def heed_cancellation() -> None:
    """Raise if the current task was cancelled while the library waited for the server.

    Until Python 3.12 `asyncio.wait_for`, in which the library waits, returns what came
    in the same moment instead of passing the cancellation on; a loop over it would
    then never end.

    Raises:
        CancelledError: The task was cancelled. What the library returned is dropped; on
            the bus it is unsettled and comes again.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel *tasks*, again and again, until every one of them has ended.

    A task that is cancelled while the library flushes would go on for ever.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_AFTER_S)
