"""A kubelet's word to end, which it gives once, and perhaps before the program is up."""

import signal
import subprocess
import sys

AS_PID_1 = """
import os, signal, sys
me, os.getpid = os.getpid(), lambda: 1
import sympozium_agent
os.kill(me, signal.SIGTERM)
print("imported", flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
sympozium_agent.heed_sigterm()
print("still there", flush=True)
"""


def test_a_sigterm_that_comes_during_the_imports_is_heeded_after_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_PID_1], capture_output=True, text=True, timeout=15, check=False
    )
    assert (done.returncode, done.stdout) == (7, "imported\n"), done.stderr


def test_outside_of_a_container_nothing_is_held_back() -> None:
    code = "import os, signal, sympozium_agent; os.kill(os.getpid(), signal.SIGTERM)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=15, check=False
    )
    assert done.returncode == -signal.SIGTERM
