"""What runs and channels ask the router."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from sympozium.contract.envelope import decode, encode
from sympozium.contract.messages import (
    EntryState,
    HistoryAnswer,
    HistoryRequest,
    OutboundKind,
    Role,
)
from sympozium.contract.names import ConversationId, RunUid
from sympozium.contract.new_run import build_run
from sympozium.contract.resources import AGENT_RUNS, AGENTS, Object
from sympozium.contract.run_events import ContextAnswer, Result, record
from sympozium.contract.subjects import context, history, run_out
from sympozium_router.clock import utc_now
from sympozium_router.outbox.replies import Replies
from sympozium_router.runs.context import Contexts
from sympozium_router.world.cluster import Cluster
from tests.router.routed import ANSWER_WITHIN_S, CHANNEL, NAMESPACE, World, agent, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


def uid_of(run: Object) -> str:
    uid: str = run["metadata"]["uid"]
    return uid


async def test_a_run_is_told_its_task_its_model_and_what_its_agent_is(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        prompt = {"spec": {"agents": {"default": {"systemPrompt": "Be brief."}}}}
        await world.kube.patch(AGENTS, NAMESPACE, "helper", prompt)
        async with world.router():
            run = await world.run_of(await world.say("1", "which pods run here?"))
            told = (await world.context(uid_of(run))).context
    assert told is not None
    assert (told.run_uid, told.run_name) == (uid_of(run), run["metadata"]["name"])
    assert (told.task, told.system_prompt) == ("which pods run here?", "Be brief.")
    assert (told.model.provider, told.model.model) == ("openai", "demo")
    assert (told.skills, told.allowed_tools, told.denied_tools) == (
        ["cluster-reader"],
        None,
        [],
    )
    assert told.history == []


async def test_a_follow_up_is_told_what_was_said_before_it_and_nothing_after(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first = await world.say("1", "list pods")
        elsewhere = await world.say("1", "a secret", conversation="other")
        await world.answer(elsewhere, "hidden")
        await world.answer(first, "web, db")
        await world.shown.end_of(first)
        second = await world.say("2", "and the second one?")
        await world.run_of(await world.say("3", "later"))
        run = await world.run_of(second)
        told = (await world.context(uid_of(run))).context
    assert told is not None
    assert [(entry.role, entry.text) for entry in told.history] == [
        (Role.USER, "list pods"),
        (Role.ASSISTANT, "web, db"),
    ]


async def test_a_follow_up_is_told_an_answer_that_only_the_status_of_its_run_has_yet(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        async with world.router():
            first, second = await world.say("1", "list pods"), await world.say("2", "and then?")
            earlier, run = await world.run_of(first), await world.run_of(second)
            await world.shown.accepted(second)
        receipt = await world.bus.publish(
            run_out(NAMESPACE, RunUid(uid_of(earlier))),
            record(Result(text="web, db"), id="r", time=datetime.now(UTC)),
            message_id="r",
        )
        await world.end_run(earlier, resultSequence=receipt.sequence)
        # No router works now, so the store never learns the end before the question.
        replies, cluster = Replies(world.bus), Cluster(world.kube)
        contexts = Contexts(world.bus, world.store, cluster, replies, utc_now)
        data = await contexts.answer(context(NAMESPACE, RunUid(uid_of(run))), b"")
        told = decode(data, ContextAnswer).context
    assert told is not None
    assert [entry.text for entry in told.history] == ["list pods", "web, db"]


async def test_a_run_applied_by_hand_is_told_its_task_and_no_history(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        by_hand = build_run(agent(), name="by-hand", task="count the pods")
        by_hand["spec"] = {
            "agentRef": "helper",
            "task": "count the pods",
            "toolPolicy": {"allow": ["pods_list"], "deny": ["pods_log"]},
        }
        run = await world.kube.create(AGENT_RUNS, by_hand)
        told = (await world.context(uid_of(run))).context
    assert told is not None
    assert (told.task, told.model.model, told.history) == ("count the pods", "demo", [])
    assert told.skills == ["cluster-reader"]
    assert (told.allowed_tools, told.denied_tools) == (["pods_list"], ["pods_log"])


async def test_a_uid_that_no_run_of_the_namespace_has_gets_an_error(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        run = await world.run_of(await world.say("1", "a secret"))
        unknown = await world.context("11111111-2222-3333-4444-555555555555")
        of_another = await world.context(uid_of(run), namespace="tenant-b")
    for answer in (unknown, of_another):
        assert answer.context is None
        assert answer.error
        assert not answer.retry


async def test_a_run_is_asked_to_come_again_while_the_api_server_is_away(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        await world.api.stop()
        answer = await world.context("11111111-2222-3333-4444-555555555555")
        await world.api.start()
    assert answer.retry
    assert answer.error


async def test_a_transcript_shows_every_message_with_its_state_oldest_first(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first = await world.say("1", "list pods")
        await world.answer(first, "web, db")
        await world.shown.end_of(first)
        second = await world.say("2", "and then?")
        await world.shown.accepted(second)

        async def is_all_noted() -> bool:
            entries = await world.transcript()
            return entries[-1].state is EntryState.RUNNING and bool(entries[1].sequence)

        await until(is_all_noted)
        entries = await world.transcript()
    assert [(entry.id, entry.role, entry.text, entry.state) for entry in entries] == [
        (first, Role.USER, "list pods", EntryState.DONE),
        (f"{first}/reply", Role.ASSISTANT, "web, db", EntryState.DONE),
        (second, Role.USER, "and then?", EntryState.RUNNING),
    ]
    final = next(
        sequence
        for shown, sequence in zip(world.shown.messages, world.shown.sequences, strict=True)
        if shown.kind is OutboundKind.FINAL
    )
    assert (entries[1].in_reply_to, entries[1].sequence) == (first, final)


async def test_a_channel_sees_no_conversation_of_another(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1", "a secret")
        await world.shown.accepted(message_id)
        assert await world.transcript(channel="other") == []
        assert len(await world.transcript()) == 1


async def test_a_limit_keeps_the_newest_entries(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        for n in range(3):
            message_id = await world.say(str(n), f"question {n}")
            await world.answer(message_id, f"answer {n}")
            await world.shown.end_of(message_id)
        request = encode(HistoryRequest(conversation=ConversationId("c"), limit=3))
        data = await world.bus.request(
            history(NAMESPACE, CHANNEL), request, timeout_s=ANSWER_WITHIN_S
        )
        whole = await world.bus.request(
            history(NAMESPACE, CHANNEL),
            encode(HistoryRequest(conversation=ConversationId("c"))),
            timeout_s=ANSWER_WITHIN_S,
        )
    answer = decode(data, HistoryAnswer)
    assert [entry.text for entry in answer.entries] == ["answer 1", "question 2", "answer 2"]
    assert answer.has_earlier
    assert not decode(whole, HistoryAnswer).has_earlier


async def test_a_question_that_cannot_be_read_gets_an_error(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        data = await world.bus.request(
            history(NAMESPACE, CHANNEL), b"nonsense", timeout_s=ANSWER_WITHIN_S
        )
    assert decode(data, HistoryAnswer).error
