"""The API server goes away in the middle of runs, and comes back."""

from contextlib import AsyncExitStack
from pathlib import Path

from sympozium.bus.nats import NatsBus
from sympozium.contract.run_events import Result
from sympozium.contract.subjects import DEAD
from sympozium.kube.client import connect
from sympozium.kube.endpoint import Endpoint
from sympozium_controller.settings import Settings
from sympozium_local.apiserver.server import serve
from tests.controller.cluster import Cluster, controller, say
from tests.fixtures.nats_server import free_port


async def test_a_result_that_comes_while_the_api_server_is_away_is_written_when_it_is_back(
    tmp_path: Path, bus: NatsBus, settings: Settings
) -> None:
    port = free_port()
    async with AsyncExitStack() as rest, AsyncExitStack() as server:
        endpoint = await server.enter_async_context(serve(tmp_path, port=port))
        administrator = Endpoint(endpoint.url, endpoint.ca_file, endpoint.token_file)
        kube = await rest.enter_async_context(connect(administrator))
        cluster = Cluster(kube, endpoint.url, endpoint.ca_file, tmp_path)
        await cluster.install()
        await rest.enter_async_context(controller(cluster, settings))
        await cluster.create_agent()
        run = await cluster.create_run("r1")
        await cluster.job("r1")
        await server.aclose()
        await say(bus, run, Result(text="hi"))
        async with serve(tmp_path, port=port):
            assert (await cluster.ended("r1"))["result"] == "hi"
            again = await cluster.create_run("r2")
            await cluster.job("r2")
            await say(bus, again, Result(text="also"))
            assert (await cluster.ended("r2"))["result"] == "also"
            assert (await bus.client.jetstream().stream_info(DEAD)).state.messages == 0
            await rest.aclose()
