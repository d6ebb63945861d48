"""Running the system in the foreground: its logs on the screen, Ctrl-C to stop."""

import asyncio

from sympozium.runtime.logs import log_to_stderr
from sympozium.runtime.loops import stop_on_signals
from sympozium_local.cli.pod_logs import follow_pod_logs
from sympozium_local.cli.screen import LogScreen, say
from sympozium_local.cli.starting import show_step
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home, find_home
from sympozium_local.system.process import adopt_orphans, kill_descendants
from sympozium_local.system.supervisor import Step, supervise


def run_in_foreground() -> None:
    """Run the system until Ctrl-C or SIGTERM.

    Raises:
        StartError: It cannot start; nothing is left running.
    """
    log_to_stderr("supervisor", level="ERROR")
    adopt_orphans()
    try:
        asyncio.run(_run(find_home()))
    finally:
        kill_descendants()


async def _run(home: Home) -> None:
    stop = stop_on_signals()
    screen = LogScreen()

    def report(step: Step) -> None:
        show_step(step.name, step.text, step.took_s, is_warning=step.is_warning)
        if step.name == "system":
            say("Ctrl-C stops it.")

    failure: StartError | None = None
    async with asyncio.TaskGroup() as group:
        pods = group.create_task(follow_pod_logs(home.node, screen.show))
        try:
            await supervise(home, stop, report=report, sink=screen.show)
        except StartError as error:  # as itself, not as a group's only member
            failure = error
        finally:
            pods.cancel()
    if failure is not None:
        raise failure
    say("Stopped.")
