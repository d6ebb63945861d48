"""The processes of this machine's system, as its supervisor tells of them."""

from collections.abc import Iterator

from sympozium_local.cli.checks.check import Check, bad, good, warning
from sympozium_local.cli.instance import Instance


def process_checks(instance: Instance) -> Iterator[Check]:
    """Look whether every process runs and is ready."""
    yield good("supervisor", f"it runs, process {instance.pid}")
    told = instance.status()
    yield _limits(str(told.get("shortfall", "")))
    for program in told.get("programs", ()):
        name = str(program["name"])
        if program["pid"] and program.get("ready"):
            yield good(name, "ready")
        else:
            yield bad(name, "not ready", f"see its log: {instance.home.logs / name}.log")


def _limits(shortfall: str) -> Check:
    about = "limits of containers"
    if not shortfall:
        return good(about, "memory, processor time and processes are limited by control groups")
    return warning(about, shortfall, "where that matters, run it as root, who can make them")
