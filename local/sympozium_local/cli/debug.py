"""`debug`: what is of use to those who look for faults."""

import json
import sys
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="For those who look for faults in the system itself.")

Json = Annotated[bool, typer.Option("--json", help="As a JSON list.")]


@app.callback()
def debug() -> None:
    """For those who look for faults in the system itself."""


@app.command("sync-points")
def sync_points(as_json: Json = False) -> None:
    """List the moments at which a program can be made to die or to stop.

    A program dies, as by SIGKILL, at each point that `SYMPOZIUM_CRASH_AT` names in its
    environment, with commas between them, and stops until SIGCONT at those of
    `SYMPOZIUM_PAUSE_AT`. One that is started again dies again, unless `SYMPOZIUM_CRASH_MARKER`
    begins the name of a file that outlives it: only the process that creates
    `<marker>.<point>` dies at a point. `SYMPOZIUM_PAUSE_MARKER` is the same for those that
    stop. The controller passes the variables on to run pods.

    Example: `SYMPOZIUM_CRASH_AT=router.after-create,router.before-ack`
    """
    from sympozium.runtime.sync_points import Point
    from sympozium_local.cli.table import print_table

    if as_json:
        points = [
            {"point": point.value, "program": point.program, "meaning": point.meaning}
            for point in Point
        ]
        sys.stdout.write(json.dumps(points, indent=2) + "\n")
    else:
        print_table([("POINT", "WHAT HAS HAPPENED"), *((p.value, p.meaning) for p in Point)])
