"""Wall clocks of our programs that can be stepped, where this machine has a C compiler.

No program of ours reads the time in one place alone, and none should have a door for a
test; so the C library's clock is replaced under them.
"""

import shutil
import subprocess
from pathlib import Path

from tests.fault.arming import FOLDER

STEP_FILE = "clock"
"""In the folder of a program's markers: the seconds that its wall clock is off."""

_SOURCE = Path(__file__).with_name("clock_step.c")
BUILD_TIMEOUT_S = 30.0


def can_step() -> bool:
    """Return whether clocks can be stepped here."""
    return shutil.which("cc") is not None


def preload(folder: Path) -> dict[str, str]:
    """Return the variables with which a program whose markers are in *folder* has a clock to step.

    None where there is no compiler.
    """
    if not can_step():
        return {}
    library = folder / "clock_step.so"
    define = f'-DSTEP_FILE="{FOLDER}/{STEP_FILE}"'
    command = ("cc", "-shared", "-fPIC", "-O1", define, "-o", str(library), str(_SOURCE), "-ldl")
    subprocess.run(command, check=True, timeout=BUILD_TIMEOUT_S)
    return {"LD_PRELOAD": f"{FOLDER}/{library.name}"}
