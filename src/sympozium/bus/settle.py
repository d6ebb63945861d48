"""The only place where it is decided what becomes of a delivery: done, later, or never."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sympozium.bus.ports import Delivery
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS

log = logging.getLogger(__name__)

HANDLE_TIMEOUT_S = 25.0
"""Less than the consumers' 30 s to redelivery, so that a slow handler is not run twice at once."""

Handle = Callable[[Delivery], Awaitable[None]]
OnDiscard = Callable[[Delivery, str], Awaitable[None]]
"""Called before a delivery is set aside, to tell the person who waits for it."""


async def settle(
    delivery: Delivery,
    handle: Handle,
    *,
    on_discard: OnDiscard | None = None,
    max_attempts: int = MAX_ATTEMPTS,
) -> None:
    """Handle one delivery and tell the bus what became of it.

    If this task is cancelled the delivery stays unsettled, so the bus delivers
    it again to whoever is alive.
    """
    try:
        async with asyncio.timeout(HANDLE_TIMEOUT_S):
            await handle(delivery)
    except PermanentError as error:
        await _give_up(delivery, str(error), on_discard)
    except Exception as error:
        if not isinstance(error, TransientError | TimeoutError):
            log.exception("handler bug", extra={"action": "retry", "attempt": delivery.attempt})
        if delivery.attempt < max_attempts:
            await delivery.retry(after_s=min(2.0 ** (delivery.attempt - 2), 30.0))
        else:
            reason = f"gave up after {delivery.attempt} attempts: {error!r}"
            await _give_up(delivery, reason, on_discard)
    else:
        await delivery.ack()


async def _give_up(delivery: Delivery, reason: str, on_discard: OnDiscard | None) -> None:
    try:
        if on_discard is not None:
            async with asyncio.timeout(HANDLE_TIMEOUT_S):
                await on_discard(delivery, reason)
        await delivery.discard(reason=reason)
    except (TransientError, TimeoutError) as error:
        log.warning(
            "cannot set a delivery aside yet",
            extra={"action": "retry", "subject": delivery.subject, "cause": str(error)},
        )
        await delivery.retry(after_s=5.0)
    else:
        log.warning(
            "delivery set aside",
            extra={"action": "discard", "subject": delivery.subject, "reason": reason},
        )
