"""Runs whose names hold each other."""

from sympozium.bus.nats import NatsBus
from sympozium.contract.run_events import Result
from tests.controller.cluster import Cluster, say


async def test_of_runs_whose_names_hold_each_other_each_gets_its_own_result(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    names = ("web", "web-a", "web-a-b", "a")
    runs = {name: await controlled.create_run(name) for name in names}
    for name in names:
        await controlled.job(name)
    for name in reversed(names):
        await say(bus, runs[name], Result(text=f"of {name}"))
    ended = [(await controlled.ended(name))["result"] for name in names]
    assert ended == [f"of {name}" for name in names]
