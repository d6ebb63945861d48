"""The controller that `tests.bench.tenants` measures, with no library in it but its own."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from typing_extensions import override

from sympozium.contract.resources import Object
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.runtime.loops import stop_on_signals
from sympozium_controller.program import run_controller
from sympozium_controller.settings import BusSettings, PodSettings, Settings


class CountedKube(Kube):
    """A client that counts what it asks."""

    asked: Counter[str]

    @override
    async def request(self, method: str, path: str, **more: Any) -> Object:
        self.asked[f"{method} {path.rsplit('/', 2)[-2]}"] += 1
        return await super().request(method, path, **more)


async def follow(endpoint: Endpoint, nats_url: str, health_port: int, idle_s: float) -> None:
    """Be the controller, and print what it asks in *idle_s* after each line that comes in."""
    stop = stop_on_signals()
    pods = PodSettings(nats_url=nats_url)
    settings = Settings(bus=BusSettings(nats_url), pods=pods, health_port=health_port)
    async with connect(endpoint) as plain, asyncio.TaskGroup() as group:
        kube = CountedKube(plain._endpoint, plain._session)
        kube.asked = Counter()
        group.create_task(run_controller(kube, settings, stop))
        await asyncio.to_thread(sys.stdin.readline)
        kube.asked.clear()
        await asyncio.sleep(idle_s)
        print(dict(kube.asked), flush=True)
        await stop.wait()


if __name__ == "__main__":
    url, ca_file, token_file, nats_url, port, seconds = sys.argv[1:]
    endpoint = Endpoint(url, Path(ca_file), Path(token_file))
    asyncio.run(follow(endpoint, nats_url, int(port), float(seconds)))
