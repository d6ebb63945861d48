"""`status`: each program, whether it is ready, what it costs."""

import sys
from typing import Annotated

import typer

from sympozium_local.cli.where import Where, somewhere

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


@somewhere
def status(where: Where, as_json: AsJson = False) -> None:
    """Show each program: readiness, memory, restarts, uptime, and of which system.

    Exit code: 0 everything is ready, 1 something is not, 3 the system does not run.
    """
    import json

    from sympozium_local.cli.target import find_target

    target = find_target(where)
    if target.instance:
        from sympozium_local.cli.local_status import local_status, print_local

        here = local_status(target, target.instance)
        is_ready, told = here.is_ready, here.as_object()
        if not as_json:
            print_local(here)
    else:
        from sympozium_local.cli.cluster_status import cluster_status, print_status
        from sympozium_local.cli.screen import ASKING, waiting

        with waiting(ASKING):
            there = cluster_status(target)
        is_ready, told = there.is_ready, there.as_object()
        if not as_json:
            print_status(there)
    if as_json:
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
    raise typer.Exit(0 if is_ready else 1)
