"""A run whose bridge is of a later version than the controller."""

from datetime import UTC, datetime

from sympozium.bus.nats import NatsBus
from sympozium.contract.names import RunUid
from sympozium.contract.run_events import Result, record
from sympozium.contract.subjects import run_out
from tests.controller.cluster import NAMESPACE, Cluster


async def test_what_a_later_bridge_adds_does_not_keep_a_run_from_its_result(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    uid = RunUid(run["metadata"]["uid"])
    moment = datetime.now(UTC)
    newer = record(Result(text="hi"), id="line", time=moment).replace(
        b'"text"', b'"mood":{"of":"the day"},"text"'
    )
    unknown = newer.replace(b'"result"', b'"reflection"')
    for number, data in enumerate((unknown, newer)):
        await bus.publish(run_out(NAMESPACE, uid), data, message_id=str(number))
    assert (await controlled.ended("r1"))["result"] == "hi"
