"""Whether there is room left on the volume that the containers of a run share.

What fills it fails everybody who writes there, each in another way. So the bridge looks itself, and
the run ends with what is the matter.
"""

import os
from pathlib import Path

LOOK_EVERY_S = 1.0

LEAST_BYTES = 64 * 1024
"""With less, a line of a journal cannot be relied on to fit."""


def is_full(volume: Path) -> bool:
    """Return whether a run cannot go on there: no room, or not for one more file."""
    found = os.statvfs(volume)
    has_no_names = found.f_files > 0 and found.f_favail == 0  # some file systems count none
    return found.f_bavail * found.f_frsize < LEAST_BYTES or has_no_names
