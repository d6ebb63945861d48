"""One step of an installation: `python -m sympozium_controller.setup STEP`, in a pod.

| step | what it does |
|---|---|
| `bus` | fills the Secret `sympozium-bus`, and writes nats.conf where one is asked for |
| `store` | fills the Secret `sympozium-store` |
| `example` | creates or changes the Agent and the Channel of the chart's values |
| `remove` | ends and removes what the controller made, before an uninstallation |
| `ask` | sends a message to a web channel, and ends well when its answer is there |

Every step may be done again, and by several at once.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping

from sympozium.contract.errors import PermanentError
from sympozium.runtime.program import run_program
from sympozium_controller.setup import asking, bus, example, removal, store

STEPS: Mapping[str, Callable[[], Awaitable[None]]] = {
    "bus": bus.set_up,
    "store": store.set_up,
    "example": example.set_up,
    "remove": removal.remove,
    "ask": asking.ask,
}


async def _unknown() -> None:
    given = " ".join(sys.argv[1:])
    raise PermanentError(f"cannot set up {given!r}: the steps are {', '.join(STEPS)}")


def main() -> None:
    """Do the step that the command line names."""
    step = STEPS.get(" ".join(sys.argv[1:]), _unknown)
    run_program("setup", step)


if __name__ == "__main__":
    main()
