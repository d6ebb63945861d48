"""The controller at an API server that fails now and then."""

from dataclasses import replace

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import JOBS
from sympozium.contract.run_events import Result
from sympozium.kube.endpoint import Endpoint
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, Cluster, controller, say
from tests.fixtures.api_troubles import PASSING, api_troubles, at_random

pytestmark = pytest.mark.timeout(90)


async def test_a_third_of_all_requests_that_fail_end_no_run_wrongly_and_start_none_twice(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    upstream = Endpoint(cluster.url, cluster.ca_file)
    async with api_troubles(upstream, at_random(2, 0.3)) as troubles:
        behind = replace(cluster, url=troubles.url)
        async with controller(behind, settings):
            names = [f"r{number}" for number in range(8)]
            runs = [await cluster.create_run(name) for name in names]
            jobs = [await cluster.job(name) for name in names]
            for run in runs:
                await say(bus, run, Result(text=f"of {run['metadata']['name']}"))
            ended = [await cluster.ended(name) for name in names]
            again = [await cluster.kube.get(JOBS, NAMESPACE, name) for name in names]
    assert all(troubles.met[one] for one in PASSING)
    assert [status["result"] for status in ended] == [f"of {name}" for name in names]
    assert [job["metadata"]["uid"] for job in again] == [job["metadata"]["uid"] for job in jobs]
