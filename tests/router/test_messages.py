import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from sympozium.contract.agentrun import AgentRunSpec
from sympozium.contract.messages import EntryState, OutboundKind
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.run_events import Result, record
from sympozium.contract.subjects import run_out
from sympozium_router.clock import utc_now
from tests.router.routed import NAMESPACE, World

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


@pytest.mark.timeout(60)
async def test_messages_of_fifty_conversations_are_answered_in_order_and_in_their_place(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router(), asyncio.TaskGroup() as group:
        agents = group.create_task(world.answer_every_run())
        said = {f"c{n}": [f"{n}-{i}" for i in range(4)] for n in range(50)}
        for i in range(4):
            for conversation, texts in said.items():
                await world.say(str(i), texts[i], conversation=conversation)
        await world.shown.until(lambda shown: len(shown.messages) == 2 * 200)
        agents.cancel()
    for conversation, texts in said.items():
        finals = [
            shown.text
            for shown in world.shown.messages
            if shown.conversation == conversation and shown.kind is OutboundKind.FINAL
        ]
        assert finals == [f"re: {text}" for text in texts]


async def test_a_run_that_ends_early_waits_with_its_reply_for_the_one_before_it(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first, second = await world.say("1"), await world.say("2")
        other = await world.say("1", conversation="other")
        await world.answer(second, "second")
        await world.answer(other, "other")
        await world.shown.end_of(other)
        assert world.shown.ends(second) == []
        await world.answer(first, "first")
        await world.shown.end_of(second)
    ends = [shown.text for shown in world.shown.messages if shown.kind is OutboundKind.FINAL]
    assert ends == ["other", "first", "second"]


async def test_runs_of_a_conversation_carry_its_order(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        ids = [await world.say(str(n)) for n in range(5)]
        runs = [await world.run_of(message_id) for message_id in ids]
    specs = [msgspec.convert(run["spec"], AgentRunSpec) for run in runs]
    sequences = [spec.source.sequence for spec in specs if spec.source]
    assert sequences == sorted(sequences)
    versions = [int(run["metadata"]["resourceVersion"]) for run in runs]
    assert versions == sorted(versions)


async def test_a_long_result_is_read_from_the_record_of_its_run(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.run_of(message_id)
        text = "long " * 20_000
        receipt = await world.bus.publish(
            run_out(NAMESPACE, run["metadata"]["uid"]),
            record(Result(text=text), id="r", time=datetime.now(UTC)),
            message_id="r",
        )
        await world.end_run(run, resultSequence=receipt.sequence)
        final = await world.shown.end_of(message_id)
    assert final.text == text


async def test_a_result_of_another_run_is_never_shown(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        receipt = await world.bus.publish(
            run_out(NAMESPACE, RunUid("another")),
            record(Result(text="secret"), id="r", time=datetime.now(UTC)),
            message_id="r",
        )
        await world.end_run(await world.run_of(message_id), resultSequence=receipt.sequence)
        end = await world.shown.end_of(message_id)
    assert (end.kind, end.text) == (OutboundKind.ERROR, "")


async def test_a_failed_run_is_told_in_a_sentence_with_its_name(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.run_of(message_id)
        error = {"reason": "OutOfMemory", "message": "exit 137 at http://10.0.0.1"}
        await world.end_run(run, phase="Failed", error=error)
        end = await world.shown.end_of(message_id)
        entries = await world.transcript()
    assert end.error is not None
    assert end.error.code == "OutOfMemory"
    assert run["metadata"]["name"] in end.error.message
    assert "10.0.0.1" not in end.error.message
    assert [entry.state for entry in entries] == [EntryState.FAILED, EntryState.FAILED]
    assert entries[1].error == end.error


async def test_a_run_deleted_by_hand_is_told_as_cancelled(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.started(message_id)
        await world.kube.delete(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
        end = await world.shown.end_of(message_id)
    assert end.error is not None
    assert end.error.code == "Cancelled"


async def test_the_files_of_an_answer_are_sent_with_it(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1", reply_to="opaque")
        run = await world.run_of(message_id)
        file = {"id": "f", "owner": run["metadata"]["uid"], "name": "a.md", "sizeBytes": 3}
        stranger = {**file, "owner": "another-run", "parts": 1}
        await world.end_run(run, result="see there", files=[{**file, "parts": 1}, stranger])
        final = await world.shown.end_of(message_id)
        entries = await world.transcript()
    assert [(ref.name, ref.owner) for ref in final.files] == [("a.md", run["metadata"]["uid"])]
    assert final.reply_to == "opaque"
    assert entries[1].files == final.files


async def test_a_run_that_says_nothing_is_told_after_its_deadline_and_only_once(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.run_of(message_id)
        await world.shown.accepted(message_id)
        world.now = utc_now() + timedelta(minutes=10, seconds=15)
        end = await world.shown.end_of(message_id)
        await world.end_run(run, result="too late")
        barrier = await world.say("2")
        await world.answer(barrier, "done")
        await world.shown.end_of(barrier)
    assert end.error is not None
    assert end.error.code == "DeadlineExceeded"
    assert len(world.shown.ends(message_id)) == 1


async def test_a_message_whose_run_was_pruned_starts_no_other(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.run_of(message_id)
        await world.end_run(run, result="hi")
        await world.shown.end_of(message_id)
        await world.kube.delete(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
        await world.say("1", nats_id="much later")
        barrier = await world.say("2")
        await world.answer(barrier, "done")
        await world.shown.end_of(barrier)
        runs = (await world.kube.list(AGENT_RUNS, NAMESPACE)).items
    assert [found["spec"]["source"]["messageId"] for found in runs] == [barrier]
    assert len(world.shown.of(message_id)) == 2
