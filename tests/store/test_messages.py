import asyncio
import dataclasses
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sympozium.contract.messages import VisibleError
from sympozium.contract.names import ConversationId, RunUid
from sympozium.store.ports import Conversation, Cut, End, Message, StoreUnavailableError
from sympozium.store.sql import SqlStore, open_store

NewMessage = Callable[..., Message]
LATER = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


async def test_a_message_is_read_back_as_it_was_recorded(
    store: SqlStore, new_message: NewMessage
) -> None:
    message = new_message(text="naïve 🦊\n\x01 text")
    assert await store.record(message) == message
    assert await store.transcript(message.conversation, limit=10) == [message]


async def test_the_first_record_of_a_message_stays(
    store: SqlStore, new_message: NewMessage
) -> None:
    first = await store.record(new_message(1, "same"))
    assert await store.record(new_message(9, "same", text="other")) == first


async def test_equal_ids_in_two_channels_are_two_messages(
    store: SqlStore, new_message: NewMessage
) -> None:
    first = await store.record(new_message(1, "same"))
    other = dataclasses.replace(new_message(2, "same", text="other"), namespace="tenant-b")
    assert await store.record(other) == other
    assert await store.transcript(first.conversation, limit=10) == [first]


async def test_the_first_end_of_a_message_stays(store: SqlStore, new_message: NewMessage) -> None:
    message = await store.record(new_message())
    error = VisibleError(code="Cancelled", message="It was cancelled.")
    ended = await store.finish(message.key, End(time=LATER, error=error))
    assert ended.end == End(time=LATER, error=error)
    assert await store.finish(message.key, End(time=LATER, text="too late")) == ended


async def test_who_read_a_message_before_it_was_cut_short_notes_no_end(
    store: SqlStore, new_message: NewMessage
) -> None:
    message = await store.record(new_message())
    end = End(time=LATER, text="answer")
    (cut,) = await store.revise(
        message.conversation,
        lambda open_: [dataclasses.replace(one, cut=Cut.WITHDRAWN) for one in open_],
    )
    assert await store.finish(message.key, end, as_cut=message.cut) == cut
    assert (await store.finish(message.key, end, as_cut=cut.cut)).end == end


async def test_a_message_is_unfinished_until_its_end_is_published(
    store: SqlStore, new_message: NewMessage
) -> None:
    message = await store.record(new_message())
    await store.started(message.key, RunUid("uid-1"))
    ended = await store.finish(message.key, End(time=LATER, text="answer"))
    assert await store.open_messages(message.conversation, limit=9) == [ended]
    assert await store.open_conversations() == [message.conversation]
    await store.published(message.key, 7)
    assert await store.open_messages(message.conversation, limit=9) == []
    assert await store.open_conversations() == []
    (known,) = await store.transcript(message.conversation, limit=1)
    assert (known.outbox_sequence, known.run_uid) == (7, "uid-1")


async def test_unfinished_messages_come_in_the_order_of_their_sequences(
    store: SqlStore, new_message: NewMessage
) -> None:
    for sequence in (3, 1, 2):
        await store.record(new_message(sequence))
    found = await store.open_messages(new_message().conversation, limit=2)
    assert [message.sequence for message in found] == [1, 2]


async def test_a_transcript_holds_the_newest_before_a_sequence_oldest_first(
    store: SqlStore, new_message: NewMessage
) -> None:
    for sequence in range(1, 6):
        await store.record(new_message(sequence))
    await store.record(new_message(3, "elsewhere", conversation="d"))
    found = await store.transcript(new_message().conversation, before=5, limit=2)
    assert [message.sequence for message in found] == [3, 4]


async def test_sequences_with_a_run_or_an_end_are_handled(
    store: SqlStore, new_message: NewMessage
) -> None:
    waiting, started, refused = [await store.record(new_message(n)) for n in (1, 2, 3)]
    await store.started(started.key, RunUid("uid"))
    await store.finish(refused.key, End(time=LATER, text=""))
    assert await store.handled(1, 3) == {2, 3}
    assert await store.handled(1, 2) == {2}
    other = await store.record(dataclasses.replace(new_message(4), namespace="other"))
    await store.finish(other.key, End(time=LATER, text=""))
    assert await store.handled(1, 4) == {2, 3, 4}
    assert await store.handled(1, 4, namespace="other") == {4}
    assert waiting.run_uid == ""


async def test_the_latest_end_of_a_run_before_a_message_is_known(
    store: SqlStore, new_message: NewMessage
) -> None:
    first, refused, second = [await store.record(new_message(n)) for n in (1, 2, 3)]
    await store.started(first.key, RunUid("uid"))
    await store.finish(refused.key, End(time=LATER + timedelta(minutes=1), text="no"))
    assert await store.last_end(first.conversation, second.sequence) is None
    await store.finish(first.key, End(time=LATER, text="answer"))
    assert await store.last_end(first.conversation, second.sequence) == LATER
    assert await store.last_end(first.conversation, first.sequence) is None


async def test_only_finished_messages_that_are_old_enough_are_pruned(
    store: SqlStore, new_message: NewMessage
) -> None:
    old, open_, young = [await store.record(new_message(n)) for n in (1, 2, 3)]
    now = datetime.now(UTC)
    for message, age in ((old, timedelta(days=100)), (young, timedelta(days=80))):
        await store.finish(message.key, End(time=now - age, text="answer"))
        await store.published(message.key, message.sequence)
    assert await store.prune(ended_before=now - timedelta(days=90), limit=10) == 1
    left = await store.transcript(old.conversation, limit=10)
    assert [message.sequence for message in left] == [open_.sequence, young.sequence]


async def test_what_the_bus_may_deliver_again_is_not_pruned_as_long_as_it_can(
    store: SqlStore, new_message: NewMessage
) -> None:
    now = datetime.now(UTC)
    for sequence, age in ((1, 3), (2, 3), (3, 16)):
        message = await store.record(new_message(sequence))
        await store.finish(message.key, End(time=now - timedelta(days=age), text="answer"))
        await store.published(message.key, sequence)
    assert await store.prune(ended_before=now - timedelta(days=2), limit=10, up_to=1) == 2
    left = await store.transcript(message.conversation, limit=10)
    assert [one.sequence for one in left] == [2]


async def test_what_is_settled_in_one_namespace_says_nothing_of_another(
    store: SqlStore, new_message: NewMessage
) -> None:
    now = datetime.now(UTC)
    for sequence, namespace in ((1, "one"), (2, "other"), (3, "one")):
        given = dataclasses.replace(new_message(sequence), namespace=namespace)
        message = await store.record(given)
        await store.finish(message.key, End(time=now - timedelta(days=3), text="answer"))
        await store.published(message.key, sequence)
    before = now - timedelta(days=2)
    assert await store.prune(ended_before=before, limit=10, up_to=0) == 0
    assert await store.prune(ended_before=before, limit=10, up_to=2, namespace="one") == 1
    assert await store.handled(1, 3) == {2, 3}


async def test_pruning_is_bounded(store: SqlStore, new_message: NewMessage) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    for sequence in range(1, 6):
        message = await store.record(new_message(sequence))
        await store.finish(message.key, End(time=long_ago, text="answer"))
        await store.published(message.key, sequence)
    before = datetime.now(UTC) - timedelta(days=90)
    assert [await store.prune(ended_before=before, limit=3) for _ in range(3)] == [3, 2, 0]


async def test_a_tombstone_cannot_be_pruned_while_a_platform_may_repeat_its_message(
    store: SqlStore,
) -> None:
    with pytest.raises(ValueError, match="known again"):
        await store.prune(ended_before=datetime.now(UTC) - timedelta(hours=24), limit=1)


async def test_programs_that_share_a_store_record_each_message_once(
    store_url: str, new_message: NewMessage
) -> None:
    async with (
        open_store(store_url) as one,
        open_store(store_url) as other,
        asyncio.TaskGroup() as group,
    ):
        found = [
            group.create_task(store.record(new_message(n, f"m{n}", text=text)))
            for n in range(1, 51)
            for store, text in ((one, "from one"), (other, "from the other"))
        ]
    texts: dict[int, set[str]] = {}
    for task in found:
        texts.setdefault(task.result().sequence, set()).add(task.result().inbound.text)
    assert len(texts) == 50
    assert all(len(same) == 1 for same in texts.values())


async def test_a_value_that_cannot_be_stored_does_not_harm_its_neighbours(
    store: SqlStore, new_message: NewMessage
) -> None:
    bad = new_message(2, text="\ud800")
    async with asyncio.TaskGroup() as group:
        good = [group.create_task(store.record(new_message(n))) for n in (1, 3)]
        refused = group.create_task(_refused(store, bad))
    assert [task.result().sequence for task in good] == [1, 3]
    assert "\ud800" not in refused.result()


async def _refused(store: SqlStore, message: Message) -> str:
    with pytest.raises(Exception, match="cannot store a value") as caught:
        await store.record(message)
    return str(caught.value)


async def test_a_store_that_is_locked_is_unavailable_and_serves_again_later(
    sqlite_url: str, new_message: NewMessage
) -> None:
    async with open_store(sqlite_url) as store:
        impatient = "PRAGMA busy_timeout = 10"
        await store._database.write(lambda c: c.exec_driver_sql(impatient).close())
        blocker = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError):
            await store.record(new_message())
        with pytest.raises(StoreUnavailableError, match="takes no writes"):
            await store.check()
        blocker.execute("COMMIT")
        blocker.close()
        assert await store.record(new_message()) == new_message()
        await store.check()


async def test_what_was_recorded_survives_sigkill(tmp_path: Path, store_url: str) -> None:
    program = tmp_path / "writer.py"
    program.write_text(WRITER)
    with subprocess.Popen(  # noqa: ASYNC220 - starting takes a millisecond
        [sys.executable, str(program), store_url], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        said = [await asyncio.to_thread(writer.stdout.readline) for _ in range(20)]
        writer.kill()
    recorded = [int(line) for line in said]
    conversation = Conversation("n", "web", ConversationId("c"))
    async with open_store(store_url) as store:
        found = await store.transcript(conversation, limit=99_999)
    assert recorded == list(range(1, 21))
    assert {message.sequence for message in found} >= set(recorded)


WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from sympozium.contract.messages import InboundMessage, Sender
from sympozium.store.ports import Message
from sympozium.store.sql import open_store

async def main():
    now = datetime.now(UTC)
    async with open_store(sys.argv[1]) as store:
        for n in range(1, 100_000):
            sender = Sender(platform="web", user_id="ada")
            inbound = InboundMessage(
                message_id=str(n), conversation="c", sender=sender, text="hello", time=now
            )
            await store.record(Message("n", "web", inbound, n, now))
            print(n, flush=True)

asyncio.run(main())
"""
