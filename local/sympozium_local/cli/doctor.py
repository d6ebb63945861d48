"""`doctor`: everything that can be looked at without changing it, and what to do."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sympozium_local.cli.where import Where, somewhere

if TYPE_CHECKING:
    from sympozium_local.cli.checks.check import Check, Section

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
Probe = Annotated[
    bool,
    typer.Option(
        "--probe",
        help="Also start three small pods in the namespace, to see whether NetworkPolicies are "
        "enforced; they are removed.",
    ),
]

SIGNS = {
    "ok": ("ok  ", "32"),
    "warning": ("note", "33"),
    "bad": ("BAD ", "31"),
    "unknown": ("?   ", "2"),
}


@somewhere
def doctor(where: Where, *, as_json: AsJson = False, probe: Probe = False) -> None:
    """Look at the system and at every bot account; say for each fault what to do.

    What you may not look at is marked with a question mark, and is no fault.

    Exit code: 0 nothing is wrong, 1 something is, 3 the system does not run.
    """
    import json

    from sympozium_local.cli.checks.check import State
    from sympozium_local.cli.checks.every import every_section
    from sympozium_local.cli.screen import waiting
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    if not as_json:
        sys.stdout.write(f"{target.title}\n")
    sections: list[Section] = []
    looked = every_section(target, where, probe=probe)
    while True:
        with waiting("Looking"):
            section = next(looked, None)
        if section is None:
            break
        sections.append(section)
        if not as_json:
            _show(section)
    is_good = all(one.state != State.BAD for section in sections for one in section.checks)
    if as_json:
        told = [section.as_object() for section in sections]
        body = {"ok": is_good, "cluster": target.title, "sections": told}
        sys.stdout.write(json.dumps(body, indent=2, ensure_ascii=False) + "\n")
    raise typer.Exit(0 if is_good else 1)


def _show(section: "Section") -> None:
    sys.stdout.write(f"{section.title}\n")
    for check in section.checks:
        _show_check(check)
    sys.stdout.flush()


def _show_check(check: "Check") -> None:
    from sympozium_local.cli.screen import styled

    text, colour = SIGNS[check.state]
    sign = styled(text, colour, stream=sys.stdout)
    sys.stdout.write(f"  {sign} {check.about}: {check.text}\n")
    if check.remedy:
        sys.stdout.write(f"       -> {check.remedy}\n")
