"""Messages that a run took in while it worked, and files of its answer, in its status."""

from collections import Counter

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.messages import FileRef
from sympozium.contract.names import MessageId, RunUid
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium.contract.run_events import Absorbed, Failure, Result, Started
from sympozium.contract.subjects import RUNS_CONSUMER, run_in
from sympozium_controller.settings import Settings
from tests.controller.cluster import BARRIER, NAMESPACE, Cluster, controller, say

FIRST, SECOND = MessageId("slack:T:C:1"), MessageId("slack:T:C:2")


async def hand_over(bus: NatsBus, run: Object, message_id: MessageId) -> None:
    """Put on the bus that a message was handed to a run, as the router does."""
    subject = run_in(NAMESPACE, RunUid(run["metadata"]["uid"]))
    await bus.publish(subject, b"{}", message_id=f"{message_id}/steer")


def file_of(owner: str, name: str = "list.csv") -> FileRef:
    return FileRef(id="f1", owner=owner, name=name, media_type="text/csv", size_bytes=3, parts=1)


@pytest.mark.parametrize("end", [Result(text="both"), Failure(reason="ModelTimeout")])
async def test_what_a_run_took_in_stands_in_its_status_each_once(
    controlled: Cluster, bus: NatsBus, end: Result | Failure
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    for message_id in (FIRST, SECOND):
        await hand_over(bus, run, message_id)
    lines = [Started(), Absorbed(message_id=FIRST), Absorbed(message_id=SECOND)]
    for number, line in enumerate([*lines, Absorbed(message_id=FIRST), end]):
        await say(bus, run, line, number=number)
    assert (await controlled.ended("r1"))["absorbed"] == [FIRST, SECOND]


async def test_what_was_heard_by_a_killed_controller_is_in_the_status_all_the_same(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    async with controller(cluster, settings):
        run = await cluster.create_run("r1")
        await cluster.job("r1")
    await hand_over(bus, run, FIRST)
    await say(bus, run, Absorbed(message_id=FIRST))
    async with bus.consume(RUNS_CONSUMER) as deliveries:
        delivery = await anext(deliveries)
        await delivery.ack()  # heard, and forgotten with who heard it
    async with controller(cluster, settings):
        await say(bus, run, Result(text="hi"), number=2)
        assert (await cluster.ended("r1"))["absorbed"] == [FIRST]


async def test_what_a_run_says_after_its_end_is_not_taken_in(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    async with controller(cluster, settings):
        run = await cluster.create_run("r1")
        await cluster.job("r1")
    await hand_over(bus, run, FIRST)
    await say(bus, run, Result(text="hi"), number=1)
    await say(bus, run, Absorbed(message_id=FIRST), number=2)
    async with controller(cluster, settings):
        assert "absorbed" not in await cluster.ended("r1")


async def test_a_cancelled_run_says_what_it_had_taken_in(controlled: Cluster, bus: NatsBus) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    await hand_over(bus, run, FIRST)
    await say(bus, run, Absorbed(message_id=FIRST))
    await controlled.kube.patch(AGENT_RUNS, NAMESPACE, "r1", {"spec": {"cancel": True}})
    status = await controlled.ended("r1")
    assert (status["phase"], status["absorbed"]) == ("Cancelled", [FIRST])


async def test_the_status_of_a_steered_run_is_written_once(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    since = (await controlled.kube.list(AGENT_RUNS, NAMESPACE)).resource_version
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    await hand_over(bus, run, FIRST)
    await say(bus, run, Absorbed(message_id=FIRST), number=1)
    await say(bus, run, Result(text="hi"), number=2)
    await controlled.ended("r1")
    await controlled.knows_every_run()
    writes: Counter[str] = Counter()
    async for event in controlled.kube.watch(AGENT_RUNS, NAMESPACE, since=since):
        name = event.object["metadata"].get("name", "")
        writes[name] += event.type == "MODIFIED"
        if name == BARRIER and event.type == "MODIFIED":
            break
    assert writes["r1"] == 1


async def test_files_of_an_answer_stand_in_the_status_and_those_of_others_do_not(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    own, foreign = file_of(run["metadata"]["uid"]), file_of("another-run", "secret.txt")
    await say(bus, run, Result(text="hi", files=[own, foreign]))
    (file,) = (await controlled.ended("r1"))["files"]
    assert (file["name"], file["owner"]) == ("list.csv", run["metadata"]["uid"])
