"""Heeding a cancellation that the client library has swallowed."""

import asyncio


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
