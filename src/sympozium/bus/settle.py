"""The only place where it is decided what becomes of a delivery: done, later, or never."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from sympozium.bus.ports import Delivery
from sympozium.bus.suspects import FatalMessageError, Suspects
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS

log = logging.getLogger(__name__)

HANDLE_TIMEOUT_S = 25.0
"""Less than the consumers' 30 s to redelivery, so that a slow handler is not run twice at once."""

FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 4.0
"""The bus waits so long beside `HANDLE_TIMEOUT_S` before it thinks that nobody is at work."""

LONGEST_PAUSE_S = 30.0

Handle = Callable[[Delivery], Awaitable[None]]

Tell = Callable[[Delivery, str], Awaitable[None]]
"""Tells whoever waits for it that a delivery is given up, and why."""


async def settle(
    delivery: Delivery,
    handle: Handle,
    *,
    suspects: Suspects | None = None,
    tell: Tell | None = None,
) -> None:
    """Handle one delivery and tell the bus what became of it.

    What fails because something is away (`TransientError`, a timeout) comes again, for
    as long as that takes. Only a bug counts towards giving up: it is tried again here,
    and after `MAX_ATTEMPTS` of them the delivery is set aside. With *suspects* so is one
    of which program after program died. Before that, *tell* is called, until nothing that
    it needs is away; it may be called again.

    If this task is cancelled the delivery stays unsettled, so the bus delivers
    it again to whoever is alive.

    Raises:
        BusUnavailableError: The bus cannot be told; the delivery comes again.
    """
    failures, delay_s = 0, FIRST_RETRY_S
    while True:
        try:
            await _handle(delivery, handle, suspects)
        except FatalMessageError as error:
            return await _give_up(delivery, str(error), error.attempts, tell)
        except PermanentError as error:
            return await _give_up(delivery, str(error), failures + 1, tell)
        except (TransientError, TimeoutError) as error:
            cause = {"action": "retry", "cause": str(error) or type(error).__name__}
            log.debug("delivery not handled yet", extra=cause)
            return await delivery.retry(after_s=_pause_s(delivery.attempt))
        except Exception as error:
            failures += 1
            log.exception("handler bug", extra={"action": "retry", "attempt": failures})
            if failures >= MAX_ATTEMPTS:
                reason = f"gave up after {failures} attempts: {type(error).__name__}; see the log"
                return await _give_up(delivery, reason, failures, tell)
        else:
            return await delivery.ack()
        with contextlib.suppress(TransientError):  # a bus that is away does not redeliver
            await delivery.working()
        await asyncio.sleep(delay_s)
        delay_s = min(2 * delay_s, LONGEST_RETRY_S)


def _pause_s(attempt: int) -> float:
    """Return after how long what was delivered so often comes again."""
    return min(2.0 ** min(attempt - 2, 10), LONGEST_PAUSE_S)


async def _handle(delivery: Delivery, handle: Handle, suspects: Suspects | None) -> None:
    async def work() -> None:
        async with asyncio.timeout(HANDLE_TIMEOUT_S):
            await handle(delivery)

    if suspects is None or delivery.attempt == 1:
        await work()
    else:
        await suspects.handle(delivery.sequence, work)


async def _give_up(delivery: Delivery, reason: str, attempts: int, tell: Tell | None) -> None:
    """Set a delivery aside, as soon as the dead letters can be reached."""
    delay_s = FIRST_RETRY_S
    while True:
        try:
            if tell is not None:
                await _told(tell, delivery, reason)
            await delivery.discard(reason=reason, attempts=attempts)
        except (TransientError, TimeoutError) as error:
            cause = {"action": "retry", "subject": delivery.subject, "cause": str(error)}
            log.warning("cannot set a delivery aside yet", extra=cause)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, LONGEST_RETRY_S)
        else:
            break
    log.warning(
        "delivery set aside",
        extra={"action": "discard", "subject": delivery.subject, "reason": reason},
    )


async def _told(tell: Tell, delivery: Delivery, reason: str) -> None:
    """Call *tell*. A bug of its own must not keep the delivery out of the dead letters."""
    try:
        async with asyncio.timeout(HANDLE_TIMEOUT_S):
            await tell(delivery, reason)
    except (TransientError, TimeoutError):
        raise
    except Exception:
        log.exception("nobody was told", extra={"action": "discard", "subject": delivery.subject})
