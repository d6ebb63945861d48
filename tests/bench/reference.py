"""How fast this machine is at the moment: a machine is not the same for an hour.

The measure is processor time and not time, so that it does not count as the machine's
what a loaded system takes from the one who measures.
"""

import os
import sys

_WORK = "import json, ssl; json.dumps([{'number': number} for number in range(50_000)])"


def reference_s() -> float:
    """Return the seconds of processor time that the same small Python program takes now."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", _WORK], os.environ)
    _, status, used = os.wait4(pid, 0)
    assert status == 0, "the reference ends well, or measures nothing"
    return used.ru_utime + used.ru_stime
