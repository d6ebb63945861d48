"""What a kubelet makes outside of its own folder, and how to be rid of it once it was killed."""

import hashlib
import os
import shutil
from pathlib import Path

from sympozium_local.kubelet.limits import remove_groups


def instance_of(data_dir: Path) -> str:
    """Return what tells the kubelet of *data_dir* from others of this machine."""
    return hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:12]


def memory_dir_of(data_dir: Path) -> Path:
    """Return where its volumes in memory are."""
    shared = Path("/dev/shm")  # noqa: S108 - for a folder that only we may enter
    place = shared if shared.is_dir() else data_dir
    return place / f"sympozium-{os.getuid()}-{instance_of(data_dir)}"


def remove_traces(data_dir: Path) -> None:
    """Remove its control groups and volumes in memory. It must not run."""
    remove_groups(instance_of(data_dir))
    shutil.rmtree(memory_dir_of(data_dir), ignore_errors=True)
