"""Start the router: `python -m sympozium_router`."""

import os
from contextlib import AsyncExitStack

from sympozium.bus.nats import Address
from sympozium.bus.nats import connect as connect_bus
from sympozium.contract.subjects import reply_prefix
from sympozium.kube.client import connect as connect_kube
from sympozium.runtime.health import Health
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_router.opening import when_there
from sympozium_router.program import Router
from sympozium_router.settings import read_settings


async def main() -> None:
    """Open what the router needs, and run it until the process is told to stop."""
    settle_in()
    settings = read_settings()
    stop = stop_on_signals()
    health = Health()
    address = Address(
        settings.nats_url, "router", reply_prefix("router"), token=settings.nats_token
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(health.served(settings.health_port, settings.health_host))
        store = await when_there(settings, stack, stop, health)
        if store is None:
            return
        bus = await stack.enter_async_context(connect_bus(address))
        kube = await stack.enter_async_context(connect_kube(settings.endpoint()))
        await Router(bus, kube, store).run(stop, health, keep=settings.keep)


if __name__ == "__main__":
    run_program("router", main, log_level=os.environ.get("SYMPOZIUM_LOG_LEVEL", "INFO"))
