"""The differences that are known: beside each topic's recording, with the reason's name.

`accepted/<topic>.json` maps a case to patterns of paths into its exchanges, and each to the name
of a reason in `docs/embedded.md`. A pattern that no difference matches any more is an error.
"""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "accepted"
DOCS = Path(__file__).parents[2] / "docs/embedded.md"

Accepted = dict[str, dict[str, str]]


def accepted(topic: str) -> Accepted:
    """Return the accepted differences of a topic's cases."""
    path = FOLDER / f"{topic}.json"
    found: Accepted = json.loads(path.read_text()) if path.exists() else {}
    return found


def reasons_used() -> set[str]:
    """Return the names of the reasons that some difference is accepted for."""
    topics = (json.loads(path.read_text()) for path in FOLDER.glob("*.json"))
    return {reason for topic in topics for case in topic.values() for reason in case.values()}


def reasons_explained() -> set[str]:
    """Return the names of the reasons in the documentation."""
    return set(re.findall(r"^\| `([a-z0-9-]+)` \|", DOCS.read_text(), re.MULTILINE))
