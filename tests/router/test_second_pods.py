"""What a second pod of a run is told, when the first was taken away."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest

from sympozium.contract.envelope import decode, encode
from sympozium.contract.names import RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.run_events import (
    ContextAnswer,
    ContextRequest,
    Progress,
    Result,
    RunEvent,
    Started,
    record,
    recorded_id,
)
from sympozium.contract.subjects import context, run_out
from tests.router.routed import ANSWER_WITHIN_S, NAMESPACE, World

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]

BEGUN = Progress(call_id="c/1", tool="read", state="started")
DENIED = Progress(call_id="c/1", tool="read", state="denied")


async def said_by(world: World, uid: str, pod: str, *events: RunEvent) -> None:
    for place, event in enumerate(events):
        id = recorded_id(RunUid(uid), pod, str(place))
        data = record(event, id=id, time=datetime.now(UTC))
        await world.bus.publish(run_out(NAMESPACE, RunUid(uid)), data, message_id=id)


async def told_to(world: World, uid: str, pod: str) -> ContextAnswer:
    request = encode(ContextRequest(pod_uid=pod))
    data = await world.bus.request(
        context(NAMESPACE, RunUid(uid)), request, timeout_s=ANSWER_WITHIN_S
    )
    return decode(data, ContextAnswer)


@pytest.mark.parametrize(
    "events",
    [(Started(), BEGUN), (Result(text="an answer"),)],
    ids=["called a tool", "answered"],
)
async def test_what_the_first_pod_did_is_not_done_again_by_the_second(
    open_world: OpenWorld, events: tuple[RunEvent, ...]
) -> None:
    async with open_world() as world, world.router():
        uid = (await world.run_of(await world.say("1")))["metadata"]["uid"]
        await said_by(world, uid, "first", *events)
        second, first = await told_to(world, uid, "second"), await told_to(world, uid, "first")
    assert (second.context, second.retry, second.reason) == (None, False, Reason.EVICTED)
    assert first.context is not None, "a bridge that was killed asks again in its own pod"


async def test_a_run_that_had_no_effect_yet_begins_again_in_another_pod(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        uid = (await world.run_of(await world.say("1")))["metadata"]["uid"]
        await said_by(world, uid, "first", Started(), BEGUN, DENIED)
        told = await told_to(world, uid, "second")
    assert told.context is not None
