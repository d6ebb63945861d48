"""Asking a model again when that makes sense, and no longer than it does."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from sympozium_agent.provider import Answer, ModelCallError, Trouble

log = logging.getLogger(__name__)

MAX_RETRY_AFTER_S = 10.0
"""An endpoint that wants us to wait longer is not waited for: somebody is watching a chat."""


async def ask_patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return the answer of *ask*, called again after each trouble that may pass.

    Raises:
        ModelCallError: Of the last call, when there is no further try for its trouble.
    """
    tries: Counter[Trouble] = Counter()
    while True:
        try:
            return await ask()
        except ModelCallError as error:
            pause_s = pause_after(error, tries[error.trouble])
            if pause_s is None:
                raise
            tries[error.trouble] += 1
            log.info(
                "model call is repeated",
                extra={"action": "retry", "trouble": error.trouble.name, "after_s": pause_s},
            )
        await asyncio.sleep(pause_s)


def pause_after(error: ModelCallError, earlier: int) -> float | None:
    """Return how long to wait after *error*, the same trouble having come *earlier* times.

    None: do not ask again.
    """
    pauses_s = error.trouble.pauses_s
    if earlier >= len(pauses_s):
        return None
    if error.retry_after_s is None:
        return pauses_s[earlier]
    return error.retry_after_s if error.retry_after_s <= MAX_RETRY_AFTER_S else None
