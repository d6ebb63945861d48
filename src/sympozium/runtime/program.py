"""How every program starts and ends: logs, settings errors as one line, exit codes."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable

from sympozium.contract.errors import PermanentError
from sympozium.runtime.logs import log_to_stderr, redacted
from sympozium.runtime.loops import StillBusyError
from sympozium.runtime.reach import arm

EXIT_CONFIGURATION = 78
"""The program cannot run with these settings. Source: sysexits.h (EX_CONFIG)."""

log = logging.getLogger(__name__)


def run_program(name: str, main: Callable[[], Awaitable[None]], *, log_level: str = "INFO") -> None:
    """Run *main* to its end, with the process' logs on standard error.

    A `PermanentError` ends the process with exit code 78 and its sentence as the
    last line; an end with work in hand with a warning and code 1; any other failure
    ends it with a traceback in the log and code 1.
    """
    log_to_stderr(name, level=log_level)
    try:
        arm()
        asyncio.run(_await(main))
    except (PermanentError, StillBusyError, ExceptionGroup) as error:
        cause = _only_cause(error)
        if isinstance(cause, PermanentError):
            sys.stderr.write(redacted(f"{name}: {cause}\n"))
            raise SystemExit(EXIT_CONFIGURATION) from None
        if isinstance(cause, StillBusyError):
            log.warning("ended with work in hand", extra={"action": "exit", "cause": str(cause)})
            raise SystemExit(1) from None
        raise


def _only_cause(error: Exception) -> Exception | None:
    """Return what *error* is, or is a task group's wrapping of; None: there are several."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    return None if isinstance(error, ExceptionGroup) else error


async def _await(main: Callable[[], Awaitable[None]]) -> None:
    await main()
