from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from tests.router.routed import NAMESPACE, World

from sympozium.contract.messages import OutboundKind
from sympozium.contract.resources import AGENT_RUNS

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def test_a_message_becomes_a_run_and_its_result_the_reply(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1", "which pods run here?")
        run = await world.run_of(message_id)
        accepted = await world.shown.accepted(message_id)
        await world.end_run(run, result="none")
        final = await world.shown.end_of(message_id)
    assert run["spec"]["task"] == "which pods run here?"
    assert run["spec"]["source"]["messageId"] == message_id
    assert (accepted.kind, accepted.run_uid) == (OutboundKind.ACCEPTED, run["metadata"]["uid"])
    assert (final.kind, final.text, final.run_name) == (
        OutboundKind.FINAL,
        "none",
        run["metadata"]["name"],
    )


async def test_the_same_message_five_times_gives_one_run_and_one_reply(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        for attempt in range(5):  # other ids on the bus: its window for duplicates is over
            message_id = await world.say("1", "hello", nats_id=f"again-{attempt}")
        await world.answer(message_id, "hi")
        await world.shown.end_of(message_id)
        barrier = await world.say("2", "barrier", conversation="c")
        await world.answer(barrier, "done")
        await world.shown.end_of(barrier)
        runs = (await world.kube.list(AGENT_RUNS, NAMESPACE)).items
    assert len(runs) == 2
    assert [shown.kind for shown in world.shown.of(message_id)] == [
        OutboundKind.ACCEPTED,
        OutboundKind.FINAL,
    ]
