"""Start the controller: `python -m sympozium_controller`, in a pod with its ServiceAccount."""

import os

from sympozium.kube.client import connect
from sympozium.kube.endpoint import in_cluster
from sympozium.runtime.logs import redact
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_controller.program import run_controller
from sympozium_controller.settings import read_settings


async def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settle_in()
    settings = read_settings()
    redact(settings.bus.password, settings.bus.issuer_seed)
    stop = stop_on_signals()
    async with connect(in_cluster()) as kube:
        await run_controller(kube, settings, stop)


if __name__ == "__main__":
    run_program("controller", main, log_level=os.environ.get("SYMPOZIUM_LOG_LEVEL", "INFO"))
