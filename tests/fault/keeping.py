"""What a system wrote, kept for whoever looks into a promise that it broke."""

import shutil
from pathlib import Path

from sympozium_local.system.home import Home


def copy_what_was_written(home: Home, folder: Path) -> None:
    """Copy the logs of programs and pods, and the session store, into *folder*."""
    for part in ("logs", "node/pods", "router"):
        ignored = shutil.ignore_patterns("volumes")
        shutil.copytree(home.path / part, folder / part, dirs_exist_ok=True, ignore=ignored)
