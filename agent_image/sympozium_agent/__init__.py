"""What runs in the pod of an AgentRun: the agent, its bridge and its tool sidecars.

Each of `agent`, `bridge` and `tool_runner` is a program of its own, in a container
of its own. They share no memory and no network: they talk through journals.
"""

import os
import signal

if os.getpid() == 1:
    # As pid 1 a program gets no signal that it does not handle, and a kubelet sends SIGTERM once.
    # One that comes while a program is still being imported must not be lost, or its pod stands
    # for the whole grace period: it is held back until the program is ready to heed it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def heed_sigterm() -> None:
    """Let SIGTERM through, now that it is handled; one that came before comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
