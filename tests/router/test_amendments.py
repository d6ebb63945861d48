"""Edits and deletions: in time they count, later they change nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import msgspec
from typing_extensions import override

from sympozium.contract.messages import OutboundKind, Sender
from sympozium.contract.names import MessageId
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium.store.ports import Message
from sympozium_router.runs.runs import Runs
from sympozium_router.world.cluster import Cluster
from tests.router.routed import NAMESPACE, World, until
from tests.router.test_modes import end_cancelled, ends, is_cancelled, stored

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
EVE = Sender(platform="web", user_id="eve")


async def task_told(world: World, run: Object) -> str:
    told = (await world.context(run["metadata"]["uid"])).context
    assert told is not None
    return told.task


async def task_of(world: World, run: Object) -> str:
    found = await world.kube.get(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
    task: str = found["spec"]["task"]
    return task


async def is_task(world: World, run: Object, task: str) -> bool:
    return await task_of(world, run) == task


async def barrier(world: World, name: str = "barrier") -> None:
    await world.shown.end_of(await world.command(name, "help"))


async def test_an_edit_of_a_message_that_waits_changes_what_its_run_is_asked(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first, second = await world.say("1", "one"), await world.say("2", "two")
        run = await world.run_of(second)
        await world.shown.accepted(second)
        for n in range(5):
            await world.edit("2-edit", second, "two, better", nats_id=f"edit-{n}")
        await barrier(world)
        assert await task_of(world, run) == "two, better"
        await world.answer(first, "uno")
        assert await task_told(world, run) == "two, better"
        await world.end_run(run, result="dos")
        await world.shown.end_of(second)
        entries = await world.transcript()
    assert [entry.text for entry in entries if entry.id == second] == ["two, better"]


async def test_an_edit_after_the_run_has_read_its_task_changes_nothing(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1", "one")
        run = await world.run_of(message_id)
        await world.shown.accepted(message_id)
        assert await task_told(world, run) == "one"
        edit = await world.edit("1-edit", message_id, "too late")
        await barrier(world)
        assert (await task_of(world, run), await task_told(world, run)) == ("one", "one")
        await world.end_run(run, result="uno")
        await world.shown.end_of(message_id)
        await world.edit("1-edit-2", message_id, "much too late")
        await barrier(world, "barrier-2")
        entries = await world.transcript()
    assert entries[0].text == "one"
    assert world.shown.of(edit) == []


async def test_an_edit_that_races_with_the_run_is_in_its_task_or_in_nothing(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        for n in range(10):
            talk = f"race-{n}"
            message_id = await world.say("1", "old", conversation=talk)
            run = await world.run_of(message_id)
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(task_told(world, run))
                group.create_task(world.edit("e", message_id, "new", conversation=talk))
            await world.shown.end_of(await world.command("b", "help", conversation=talk))
            entries = await world.transcript(talk)
            told = reading.result()
            assert told in {"old", "new"}
            assert entries[0].text == told
            assert await task_told(world, run) == told
            assert await task_of(world, run) == told


async def test_nobody_changes_what_another_person_wrote(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1", "one")
        run = await world.run_of(message_id)
        await world.shown.accepted(message_id)
        await world.edit("e", message_id, "obey me", sender=EVE)
        await barrier(world)
        assert await task_of(world, run) == "one"


async def test_changes_of_what_nobody_knows_are_nothing(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        await world.edit("e", MessageId("never-seen"), "text")
        await world.delete("d", MessageId("never-seen"))
        await world.edit("e2", MessageId(""), "text")  # and what cannot be read is no reason
        await world.delete("d2", MessageId(""))  # to write into somebody's thread
        await barrier(world)
        entries = await world.transcript()
    assert [entry.id.rpartition(":")[2] for entry in entries] == ["barrier", "barrier/reply"]
    assert len(world.shown.messages) == 1


async def test_a_message_that_is_deleted_while_it_waits_is_not_worked_on(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        first, second, third = [await world.say(str(n), f"text {n}") for n in (1, 2, 3)]
        run = await world.run_of(second)
        await world.shown.accepted(third)
        for n in range(5):
            await world.delete("2-del", second, nats_id=f"delete-{n}")
        await end_cancelled(world, run)
        await world.answer(first, "uno")
        await world.answer(third, "tres")
        await world.shown.end_of(third)
        told = (await world.context((await world.run_of(third))["metadata"]["uid"])).context
        entries = await world.transcript()
    assert ends(world) == [("1", "final"), ("2", "dropped"), ("3", "final")]
    assert told is not None
    assert "text 2" not in [entry.text for entry in told.history]
    assert second not in [entry.id for entry in entries]


async def test_a_message_that_is_deleted_while_it_is_worked_on_ends_without_a_word(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.run_of(message_id)
        await world.shown.accepted(message_id)
        await task_told(world, run)
        await world.delete("d", message_id)
        await until(lambda: is_cancelled(world, run))
        await world.end_run(run, result="it was faster")
        end = await world.shown.end_of(message_id)
    assert (end.kind, end.text) == (OutboundKind.DROPPED, "")


async def test_a_message_that_was_answered_is_not_taken_back(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        await world.answer(message_id, "hi")
        await world.shown.end_of(message_id)
        await world.delete("d", message_id)
        await barrier(world)
    assert [end.kind for end in world.shown.ends(message_id)] == [OutboundKind.FINAL]


async def collected(world: World) -> tuple[list[MessageId], Object]:
    """Return three messages that wait behind a first one, and the run that is asked them."""
    first = await world.say("1", "one")
    await world.shown.accepted(first)
    ids = [await world.say(str(n), f"text {n}") for n in (2, 3, 4)]
    await stored(world, *ids)
    await world.answer(first, "uno")
    run = await world.run_of(ids[0])
    await world.shown.accepted(ids[0])
    return ids, run


async def test_one_of_several_collected_messages_is_edited_and_one_withdrawn(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.set_channel(mode="collect")
        async with world.router():
            ids, run = await collected(world)
            await world.edit("e", ids[1], "better 3")
            await world.delete("d", ids[2])
            await barrier(world)
            await until(lambda: is_task(world, run, "text 2\n\nbetter 3"))
            assert await task_told(world, run) == "text 2\n\nbetter 3"
            await world.end_run(run, result="both")
            await world.shown.end_of(ids[2])
    assert ends(world)[-3:] == [("2", "final"), ("3", "joined"), ("4", "dropped")]


class RunsBehind(Runs):
    """Has read what a run is to be asked, when somebody else changes that."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    @override
    async def _asked(self, message: Message) -> list[Message]:
        """Return what was so before the change."""
        asked = await super()._asked(message)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return asked


async def test_of_two_who_change_a_task_at_once_none_puts_back_what_it_read_before(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        async with world.router():
            message_id = await world.say("1", "one")
            run = await world.started(message_id)
        (talk,) = await world.store.open_conversations()
        first, second = [
            kind(world.bus, world.store, Cluster(world.kube), world.clock)
            for kind in (RunsBehind, Runs)
        ]
        (message,) = await world.store.open_messages(talk, limit=1)

        async def changed() -> None:
            better = msgspec.structs.replace(message.inbound, text="better")
            await world.store.revise(talk, lambda open_: [replace(open_[0], inbound=better)])
            await second.rewrite(message)

        assert isinstance(first, RunsBehind)
        first.meanwhile = changed
        await first.rewrite(message)
        assert await task_of(world, run) == "better"


async def test_those_that_went_with_a_withdrawn_message_are_answered_by_a_run_of_their_own(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.set_channel(mode="collect")
        async with world.router():
            ids, run = await collected(world)
            await world.delete("d", ids[0])
            await end_cancelled(world, run)
            own = await world.run_of(ids[1])
            await world.end_run(own, result="three")
            await world.answer(ids[2], "four")
            await world.shown.end_of(ids[2])
    assert own["spec"]["task"] == "text 3"
    assert ends(world)[-3:] == [("2", "dropped"), ("3", "final"), ("4", "final")]


async def test_a_message_that_waits_without_a_run_is_edited_and_withdrawn(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await world.set_channel(mode="collect")
        async with world.router():
            first = await world.say("1", "one")
            await world.shown.accepted(first)
            second, third = await world.say("2", "two"), await world.say("3", "three")
            await stored(world, second, third)
            await world.edit("e", second, "better two")
            await world.delete("d", third)
            await barrier(world)
            await world.answer(first, "uno")
            run = await world.run_of(second)
            await world.end_run(run, result="dos")
            await world.shown.end_of(third)
    assert run["spec"]["task"] == "better two"
    assert ends(world) == [
        ("barrier", "final"),
        ("1", "final"),
        ("2", "final"),
        ("3", "dropped"),
    ]
