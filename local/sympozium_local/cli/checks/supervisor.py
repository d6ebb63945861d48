"""The processes of this machine's system, as its supervisor tells of them."""

from collections.abc import Iterator

from sympozium_local.cli.checks.check import Check, bad, good
from sympozium_local.cli.instance import Instance


def process_checks(instance: Instance) -> Iterator[Check]:
    """Look whether every process runs and is ready."""
    yield good("supervisor", f"it runs, process {instance.pid}")
    for program in instance.status().get("programs", ()):
        name = str(program["name"])
        if program["pid"] and program.get("ready"):
            yield good(name, "ready")
        else:
            yield bad(name, "not ready", f"see its log: {instance.home.logs / name}.log")
