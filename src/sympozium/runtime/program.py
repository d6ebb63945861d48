"""How every program starts and ends: logs, settings errors as one line, exit codes."""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from sympozium.contract.errors import PermanentError
from sympozium.runtime.logs import log_to_stderr, redacted
from sympozium.runtime.reach import arm

EXIT_CONFIGURATION = 78
"""The program cannot run with these settings. Source: sysexits.h (EX_CONFIG)."""


def run_program(name: str, main: Callable[[], Awaitable[None]], *, log_level: str = "INFO") -> None:
    """Run *main* to its end, with the process' logs on standard error.

    A `PermanentError` ends the process with exit code 78 and its sentence as the
    last line; any other failure ends it with a traceback in the log and code 1.
    """
    log_to_stderr(name, level=log_level)
    try:
        arm()
        asyncio.run(_await(main))
    except (PermanentError, ExceptionGroup) as error:
        cause = _only_cause(error)
        if cause is None:
            raise
        sys.stderr.write(redacted(f"{name}: {cause}\n"))
        raise SystemExit(EXIT_CONFIGURATION) from None


def _only_cause(error: Exception) -> PermanentError | None:
    """Return the permanent error that *error* is, or is a task group's wrapping of."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        (error,) = error.exceptions
    return error if isinstance(error, PermanentError) else None


async def _await(main: Callable[[], Awaitable[None]]) -> None:
    await main()
