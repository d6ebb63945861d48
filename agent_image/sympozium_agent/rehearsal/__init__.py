"""What every run does, done before there is one, in the processes from which containers are forked.

What Python does the first time (finding attributes, rewriting bytecode for the types it meets,
building codecs) it would do anew in each fork, and each page that it writes to is copied. A fork of
a parent that has rehearsed finds it done. Each program has a rehearsal of its own, because such a
parent holds what its program needs and nothing else.
"""

import threading

from sympozium.contract.names import RunName, RunUid
from sympozium.contract.run_events import ModelAccess, RunContext

ROUNDS = 12
"""Python specializes a function's code after some eight calls. Source: PEP 659, of Python 3.11."""

TIMEOUT_S = 10.0
"""How long a rehearsal may take; on an idle machine it is a fraction of a second."""

MODEL = "none"
"""What the stand-in for a model is called."""

CONTEXT = RunContext(
    run_name=RunName("none"),
    run_uid=RunUid("none"),
    task="",
    model=ModelAccess(provider="openai", model=MODEL),
)
"""What the run that is rehearsed is asked."""


def await_threads() -> None:
    """Return when this thread is the only one: a process must not be forked before."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(TIMEOUT_S)
