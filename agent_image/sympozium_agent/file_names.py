"""Names of files that strangers chose: what may be shown of them, and what may be a path."""

import re

from sympozium.contract.messages import FileRef
from sympozium.contract.names import short_hash

MAX_NAME_CHARS = 100
"""With the hash before it, below the 255 bytes that a file system allows."""

_UNFIT_TO_SHOW = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNFIT_FOR_A_PATH = re.compile(r"[^A-Za-z0-9._-]+")


def shown_name(name: str) -> str:
    """Return what of *name* may be shown: its last component, on one line, not too long."""
    last = re.split(r"[/\\]", _UNFIT_TO_SHOW.sub("", name))[-1].strip()
    if len(last) > MAX_NAME_CHARS:
        stem, dot, ending = last.rpartition(".")
        kept = dot + ending if stem and len(ending) <= 10 else ""
        last = last[: MAX_NAME_CHARS - len(kept)] + kept
    return last if last.strip(". ") else "file"


def path_name(name: str) -> str:
    """Return a file name of plain letters for *name*, which leads out of no folder."""
    return _UNFIT_FOR_A_PATH.sub("_", shown_name(name)).lstrip(".-") or "file"


def incoming_name(ref: FileRef) -> str:
    """Return under which name the bridge keeps a file for the agent; no two files share it."""
    return f"{short_hash(ref.owner, ref.id)}-{path_name(ref.name)}"
