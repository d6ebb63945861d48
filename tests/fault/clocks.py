"""Wall clocks of our programs that can be stepped, where this machine has a C compiler.

No program of ours reads the time in one place alone, and none should have a door for a
test; so the C library's clock is replaced under them. The bus reads its clock past the C
library, and is always right.
"""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

STEP_FILE = "clock"
"""In the folder of a program's markers, or in a home: the seconds that its wall clock is off."""

STEP_BYTES = 32
"""The length of that file, which is mapped and must not change: the rest of it is zeros."""

LIBRARY = "clock_step.so"
_SOURCE = Path(__file__).with_name("clock_step.c")
BUILD_TIMEOUT_S = 30.0


def can_step() -> bool:
    """Return whether clocks can be stepped here."""
    return shutil.which("cc") is not None


def build_clock(folder: Path, *, seen_at: Path) -> None:
    """Make a clock in *folder* for programs that find it at *seen_at*; none without a compiler."""
    if not can_step():
        return
    step(folder, 0)
    defines = (f'-DSTEP_FILE="{seen_at / STEP_FILE}"', f"-DSTEP_BYTES={STEP_BYTES}")
    output = ("-o", folder / LIBRARY)
    command = ("cc", "-shared", "-fPIC", "-O1", *defines, *output, _SOURCE, "-ldl")
    subprocess.run(command, check=True, timeout=BUILD_TIMEOUT_S)


def with_clock(seen_at: Path) -> Mapping[str, str]:
    """Return the variables with which a program has the clock at a place."""
    return {"LD_PRELOAD": str(seen_at / LIBRARY)} if can_step() else {}


def step(folder: Path, step_s: int) -> None:
    """Have the clock of *folder* be off by so many seconds from now on."""
    file = folder / STEP_FILE
    file.touch()
    with file.open("r+b") as mapped:
        mapped.write(str(step_s).encode().ljust(STEP_BYTES, b"\0"))
