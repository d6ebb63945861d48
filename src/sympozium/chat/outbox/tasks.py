"""Ending tasks for certain.

The bus' client library swallows a cancellation that meets it while it flushes, and a
task cancelled at that moment would go on for ever.
"""

import asyncio
from typing import Any

AGAIN_AFTER_S = 0.1


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel *tasks*, again and again, until every one of them has ended."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_AFTER_S)
