"""How findings are shown: a line for each, and what to do where something is wrong."""

import sys
from collections.abc import Iterable

from sympozium.chat.checks import Finding
from sympozium_local.cli.screen import styled


def show_findings(findings: Iterable[Finding]) -> bool:
    """Print findings; return whether all are good."""
    all_good = True
    for finding in findings:
        all_good &= finding.is_good
        sign = styled("ok  ", "32", stream=sys.stdout)
        if not finding.is_good:
            sign = styled("BAD ", "31", stream=sys.stdout)
        sys.stdout.write(f"  {sign} {finding.about}: {finding.text}\n")
        if finding.remedy:
            sys.stdout.write(f"       -> {finding.remedy}\n")
    sys.stdout.flush()
    return all_good
