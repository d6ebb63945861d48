"""The supervisor as a background program: `python -m sympozium_local.system`.

It reports each step of the start as a JSON line on standard output, which it then
closes; its log goes to standard error.
"""

import asyncio
import dataclasses
import json
import os
import sys

from sympozium.runtime.logs import log_to_stderr
from sympozium.runtime.loops import stop_on_signals
from sympozium_local.system.errors import AlreadyRunningError, StartError
from sympozium_local.system.home import find_home
from sympozium_local.system.process import adopt_orphans, kill_descendants
from sympozium_local.system.supervisor import Step, supervise

EXIT_CANNOT_START = 1


async def _run() -> None:
    stop = stop_on_signals()
    await supervise(find_home(), stop, report=_report)


def _report(step: Step) -> None:
    _tell(dataclasses.asdict(step))
    if step.name == "system":
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _tell(line: dict[str, object]) -> None:
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # nobody waits for us any more; the system goes on
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def main() -> None:
    """Run the system until SIGTERM."""
    log_to_stderr("supervisor")
    adopt_orphans()
    try:
        asyncio.run(_run())
    except AlreadyRunningError as error:
        _tell({"error": str(error), "url": error.url, "pid": error.pid})
        raise SystemExit(EXIT_CANNOT_START) from None
    except StartError as error:
        _tell({"error": str(error)})
        raise SystemExit(EXIT_CANNOT_START) from None
    finally:
        kill_descendants()


if __name__ == "__main__":
    main()
