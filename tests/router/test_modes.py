"""What becomes of messages that come while an earlier one is worked on, mode by mode."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import NoAnswerError
from sympozium.contract.envelope import unwrap
from sympozium.contract.messages import FileRef, OutboundKind, OutboundMessage, Sender
from sympozium.contract.names import MessageId
from sympozium.contract.resources import AGENT_RUNS, AGENTS, Object
from sympozium.contract.run_events import Steering
from sympozium.contract.subjects import RUNS, run_in
from tests.router.routed import CHANNEL, NAMESPACE, World, agent, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
BOB = Sender(platform="web", user_id="bob", display_name="Bob")


async def open_with(world: World, mode: str, **spec: object) -> None:
    await world.set_channel(mode=mode, **spec)


async def runs_made(world: World) -> list[Object]:
    runs = (await world.kube.list(AGENT_RUNS, NAMESPACE)).items
    return sorted(runs, key=lambda run: int(run["spec"]["source"]["sequence"]))


async def stored(world: World, *ids: str) -> None:
    """Wait until messages are in the store."""

    async def are() -> bool:
        return set(ids) <= {entry.id for entry in await world.transcript()}

    await until(are)


def ends(world: World) -> list[tuple[str, str]]:
    return [
        (shown.message_id.rpartition(":")[2], shown.kind.value)
        for shown in world.shown.messages
        if shown.kind is not OutboundKind.ACCEPTED
    ]


async def is_cancelled(world: World, run: Object) -> bool:
    found = await world.kube.get(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
    return bool(found["spec"].get("cancel"))


async def end_cancelled(world: World, run: Object) -> None:
    """Wait until a run is to be cancelled, and be the controller that does it."""
    await until(lambda: is_cancelled(world, run))
    await world.end_run(run, phase="Cancelled", error={"reason": "Cancelled"})


async def test_queued_messages_are_told_how_many_come_first(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        ids = [await world.say(str(n)) for n in range(3)]
        accepted = [await world.shown.accepted(id_) for id_ in ids]
    assert [shown.waiting_for for shown in accepted] == [0, 1, 2]


async def test_collected_messages_are_answered_together_by_the_first_of_them(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await open_with(world, "collect")
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            others = [await world.say(str(n), f"text {n}") for n in (2, 3, 4)]
            await stored(world, *others)
            assert len(await runs_made(world)) == 1
            await world.answer(first, "uno")
            run = await world.run_of(others[0])
            late = await world.say("5", "late")
            await world.end_run(run, result="all of it")
            end = await world.shown.end_of(others[2])
            await world.answer(late, "late too")
            await world.shown.end_of(late)
            runs = await runs_made(world)
    assert run["spec"]["task"] == "text 2\n\ntext 3\n\ntext 4"
    assert (end.kind, end.answered_with, end.text) == (OutboundKind.JOINED, others[0], "")
    assert ends(world) == [
        ("1", "final"),
        ("2", "final"),
        ("3", "joined"),
        ("4", "joined"),
        ("5", "final"),
    ]
    assert len(runs) == 3
    assert len(world.shown.of(others[1])) == 1  # nothing said that it has a run of its own


async def test_collected_messages_of_several_people_bear_their_names(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await open_with(world, "collect")
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            ids = [await world.say("2", "two"), await world.say("3", "three", sender=BOB)]
            await stored(world, *ids)
            await world.answer(first, "uno")
            run = await world.run_of(ids[0])
    assert run["spec"]["task"] == "Ada: two\n\nBob: three"


async def test_no_more_is_collected_than_one_task_holds(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await open_with(world, "collect")
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            ids = [await world.say(str(n), str(n) * 30_000) for n in (2, 3, 4)]
            await stored(world, *ids)
            await world.answer(first, "uno")
            await world.answer(ids[0], "two of them")
            await world.answer(ids[2], "the last")
            await world.shown.end_of(ids[2])
    assert ends(world) == [("1", "final"), ("2", "final"), ("3", "joined"), ("4", "final")]


async def test_the_reason_of_a_collected_answer_that_failed_ends_those_that_went_with_it(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await open_with(world, "collect")
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            ids = [await world.say("2"), await world.say("3")]
            await stored(world, *ids)
            await world.answer(first, "uno")
            run = await world.run_of(ids[0])
            await world.end_run(run, phase="Failed", error={"reason": "ModelTimeout"})
            joined = await world.shown.end_of(ids[1])
    assert joined.kind is OutboundKind.JOINED
    assert joined.error is not None
    assert ends(world) == [("1", "final"), ("2", "error"), ("3", "joined")]


async def steering(world: World, run: Object) -> Steering:
    subject = run_in(NAMESPACE, run["metadata"]["uid"])
    await until(lambda: world.bus.last(RUNS, subject))
    found = await world.bus.last(RUNS, subject)
    assert found is not None
    return unwrap(found.data, Steering)


async def test_what_the_run_at_work_took_in_is_answered_with_it(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await open_with(world, "steer")
        async with world.router():
            first = await world.say("1", "list the pods")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            second = await world.say("2", "only those of web", sender=BOB)
            handed = await steering(world, run)
            await world.end_run(run, result="two", absorbed=[second])
            joined = await world.shown.end_of(second)
            third = await world.say("3")
            await world.answer(third, "fresh")
            await world.shown.end_of(third)
            runs = await runs_made(world)
    assert (handed.message_id, handed.text) == (second, "Bob: only those of web")
    assert (joined.kind, joined.answered_with) == (OutboundKind.JOINED, first)
    assert ends(world) == [("1", "final"), ("2", "joined"), ("3", "final")]
    assert len(runs) == 2


async def test_what_came_too_late_for_the_run_at_work_gets_runs_of_its_own_in_order(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await open_with(world, "steer")
        async with world.router():
            first = await world.say("1", "one")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            second, third, fourth = [await world.say(str(n), f"text {n}") for n in (2, 3, 4)]
            await stored(world, second, third, fourth)
            await world.end_run(run, result="uno", absorbed=[third])
            own = await world.run_of(second)
            assert len(await runs_made(world)) == 2
            await world.end_run(own, result="dos")
            await world.answer(fourth, "cuatro")
            await world.shown.end_of(fourth)
    assert own["spec"]["task"] == "text 2"
    assert ends(world) == [("1", "final"), ("2", "final"), ("3", "joined"), ("4", "final")]


async def test_a_run_that_asks_for_its_context_late_is_told_what_was_handed_to_it(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await open_with(world, "steer")
        async with world.router():
            first = await world.say("1", "one")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            second = await world.say("2", "two")
            await stored(world, second)
            told = (await world.context(run["metadata"]["uid"])).context
    assert told is not None
    assert [(one.message_id, one.text) for one in told.steered] == [(second, "two")]


async def test_a_message_for_another_agent_does_not_steer_the_one_at_work(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.kube.create(AGENTS, agent("coder"))
        await open_with(world, "steer", agents=["coder"])
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            second = await world.say("2", "@coder two")
            await world.shown.end_of(await world.command("barrier", "help"))
            run = await world.run_of(first)
            assert await world.bus.last(RUNS, run_in(NAMESPACE, run["metadata"]["uid"])) is None
            await world.end_run(run, result="uno")
            own = await world.run_of(second)
    assert (own["spec"]["agentRef"], own["spec"]["task"]) == ("coder", "two")


async def test_a_newer_message_takes_over_and_those_before_it_are_told_so(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        first, second = await world.say("1", "one"), await world.say("2", "two")
        async with world.router():
            runs = [await world.run_of(first), await world.run_of(second)]
            await world.shown.accepted(second)
        await open_with(world, "interrupt")
        async with world.router():
            third = await world.say("3", "no, this")
            for run in runs:
                await end_cancelled(world, run)
            await world.answer(third, "done")
            await world.shown.end_of(third)
    assert ends(world) == [("1", "error"), ("2", "error"), ("3", "final")]
    for message_id in (first, second):
        (told,) = world.shown.ends(message_id)
        assert told.error is not None
        assert told.error.code == "Interrupted"
        assert "newer message" in told.error.message


async def test_an_answer_that_came_before_the_interruption_is_shown(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await open_with(world, "interrupt")
        async with world.router():
            first = await world.say("1")
            run = await world.run_of(first)
            await world.shown.accepted(first)
            second = await world.say("2")
            await until(lambda: is_cancelled(world, run))
            await world.end_run(run, result="in time")
            assert (await world.shown.end_of(first)).text == "in time"
            await world.answer(second, "done")
            await world.shown.end_of(second)
    assert ends(world) == [("1", "final"), ("2", "final")]


MODES = ["queue", "collect", "steer", "interrupt"]


async def be_the_controller(world: World) -> None:
    """Start runs of a conversation in turn; answer them, cancel them; absorb every other offer."""
    done: set[str] = set()
    while True:
        for run in await runs_made(world):
            name = run["metadata"]["name"]
            if name in done:
                continue
            if run["spec"].get("cancel"):
                await world.end_run(run, phase="Cancelled", error={"reason": "Cancelled"})
            else:
                try:
                    told = (await world.context(run["metadata"]["uid"])).context
                except NoAnswerError:  # no router is there now
                    break
                if told is None:
                    break
                absorbed = [one.message_id for one in told.steered[::2]]
                await world.end_run(run, result="re: " + told.task, absorbed=absorbed)
            done.add(name)
            break
        await asyncio.sleep(0.01)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mode", MODES)
async def test_every_message_has_one_end_whatever_comes_twice_and_whoever_is_restarted(
    open_world: OpenWorld, bus: NatsBus, mode: str
) -> None:
    async with open_world() as world, asyncio.TaskGroup() as group:
        await open_with(world, mode)
        cluster = group.create_task(be_the_controller(world))
        ids: list[MessageId] = []
        for start in range(4):
            async with world.router():
                said = [f"{start}-{n}" for n in range(5)]
                for copy in range(5 if start == 1 else 1):
                    ids += [await world.say(one, one, nats_id=f"{one}/{copy}") for one in said]
                await stored(world, ids[0])
        async with world.router():
            await world.shown.until(lambda shown: all(shown.ends(id_) for id_ in ids))
            await world.shown.end_of(await world.command("barrier", "help"))
        cluster.cancel()
    for id_ in set(ids):
        assert len(world.shown.ends(id_)) == 1
    order = [one.message_id for one in world.shown.messages if is_end(one)]
    assert order == list(dict.fromkeys(ids))


def is_end(shown: OutboundMessage) -> bool:
    return shown.kind is not OutboundKind.ACCEPTED and not shown.is_notice


async def test_files_of_collected_messages_go_along(open_world: OpenWorld) -> None:
    refs = [
        FileRef(id=f"f{n}", owner=CHANNEL, name=f"{n}.txt", size_bytes=3, parts=1) for n in (2, 3)
    ]
    async with open_world() as world:
        await open_with(world, "collect")
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            ids = [await world.say(ref.name, "", files=[ref]) for ref in refs]
            await stored(world, *ids)
            await world.answer(first, "uno")
            run = await world.run_of(ids[0])
            told = (await world.context(run["metadata"]["uid"])).context
    assert told is not None
    assert told.files == refs
    assert "> 2.txt (application/octet-stream, 3 bytes)" in told.task
    assert told.task == run["spec"]["task"]
