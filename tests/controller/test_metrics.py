"""What the controller says of itself at `/metrics` and `/readyz`."""

import asyncio
import json

import aiohttp

from sympozium.bus.nats import NatsBus
from sympozium.contract.run_events import Failure, Result
from sympozium_controller.settings import Settings
from tests.controller.cluster import Cluster, controller, say
from tests.fixtures.nats_server import NatsServer


async def page(settings: Settings, path: str) -> tuple[int, str]:
    """Return the status and the text of one of its pages."""
    url = f"http://127.0.0.1:{settings.health_port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def metric(settings: Settings, name: str) -> float:
    """Return the value of one sample; 0 where it is not there."""
    _, text = await page(settings, "/metrics")
    found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].split()[-1]) if found else 0.0


async def until_metric(settings: Settings, name: str, value: float) -> None:
    """Return once a sample has this value: the watch brings it, or the next term of a lease."""
    async with asyncio.timeout(10):
        while await metric(settings, name) != value:  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.02)


async def test_runs_are_counted_by_how_they_ended(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    good = 'sympozium_controller_runs_ended_total{phase="Succeeded",reason=""}'
    bad = 'sympozium_controller_runs_ended_total{phase="Failed",reason="ModelTimeout"}'
    blocked = 'sympozium_controller_run_connections_blocked_total{reason="ModelTimeout"}'
    async with controller(cluster, settings):
        await cluster.create_agent()
        run = await cluster.create_run("r1")
        await cluster.job("r1")
        before = [await metric(settings, name) for name in (good, bad, blocked)]
        await say(bus, run, Result(text="hi"))
        await cluster.ended("r1")
        run = await cluster.create_run("r2")
        await cluster.job("r2")
        await say(bus, run, Failure(reason="ModelTimeout", blocked_connections=5))
        await cluster.ended("r2")
        await until_metric(settings, "sympozium_controller_leading", 1)
        await until_metric(settings, 'sympozium_queue_depth{queue="runs"}', 0)
        assert await metric(settings, 'sympozium_reconcile_seconds_count{queue="runs"}') > 0
        written = 'sympozium_api_requests_total{verb="PATCH",answer="ok"}'
        assert await metric(settings, written) > 0
        now = 'sympozium_controller_runs{phase="Failed",reason="ModelTimeout"}'
        await until_metric(settings, now, 1)
        after = [await metric(settings, name) for name in (good, bad, blocked)]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 5]


async def test_it_is_not_ready_while_the_bus_is_away_and_says_so(
    cluster: Cluster, bus: NatsBus, settings: Settings, nats_server: NatsServer
) -> None:
    async with controller(cluster, settings):
        await until_ready(settings, 200)
        await until_tenants_are_served(settings)
        nats_server.kill()
        reason = await until_ready(settings, 503)
        await nats_server.start()
        await until_ready(settings, 200)
    assert json.loads(reason) == {"status": "not ready", "reason": "the bus is away"}


async def until_tenants_are_served(settings: Settings) -> None:
    """Return once nothing is asked of the bus for them that a dead one would not answer in time."""
    async with asyncio.timeout(15):
        while not await metric(settings, 'sympozium_reconcile_seconds_count{queue="tenants"}'):  # noqa: ASYNC110 - another task
            await asyncio.sleep(0.02)
    await until_metric(settings, 'sympozium_queue_depth{queue="tenants"}', 0)


async def until_ready(settings: Settings, status: int) -> str:
    """Return what `/readyz` says once its status is this one."""
    async with asyncio.timeout(15):
        while True:
            try:
                found, text = await page(settings, "/readyz")
            except aiohttp.ClientError:
                found, text = 0, ""
            if found == status:
                return text
            await asyncio.sleep(0.02)
