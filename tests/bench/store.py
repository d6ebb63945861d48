"""What the session store takes of a message, on SQLite and on PostgreSQL in turns.

`python -m tests.bench.store`: all statements of one message's life, one message after
another and many at once. Both wait for the disk at each commit. Only the ratio means
something on a machine that others use too.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sympozium.contract.messages import InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.store.ports import End, Message, Verdict
from sympozium.store.sql import SqlStore, open_store
from sympozium.testing.postgresql import PostgresqlServer, postgresql_programs

ROUNDS = 4
ANSWER = "Three pods run here, and none of them was restarted. " * 8


def message(number: int) -> Message:
    """Return a message of one of fifty conversations."""
    now = datetime.now(UTC)
    inbound = InboundMessage(
        message_id=MessageId(f"m{number}"),
        conversation=ConversationId(f"c{number % 50}"),
        sender=Sender(platform="web", user_id="ada"),
        text="which pods run here, and was one of them restarted?",
        time=now,
    )
    name = RunName(f"web-{number}")
    return Message("default", "web", inbound, number, now, agent="helper", run_name=name)


async def live(store: SqlStore, one: Message) -> None:
    """Do everything that a router asks the store on behalf of one message."""
    if await store.known(one.key) is not None:
        raise AssertionError("it was there before")
    await store.talk(one.conversation)
    await store.record(one, lambda scene: Verdict(replace(one, offered_to=MessageId(""))))
    await store.waiting_before(one.conversation, one.sequence)
    await store.started(one.key, RunUid(f"uid-{one.sequence}"))
    await store.transcript(one.conversation, limit=20, before=one.sequence)
    await store.open_messages(one.conversation, limit=32)
    await store.finish(one.key, End(datetime.now(UTC), ANSWER))
    await store.published(one.key, one.sequence)
    await store.open_messages(one.conversation, limit=32)


async def one_by_one(store: SqlStore, messages: list[Message]) -> float:
    """Return the median time of a message, in seconds."""
    took = []
    for one in messages:
        began = time.perf_counter()
        await live(store, one)
        took.append(time.perf_counter() - began)
    return median(took)


async def at_once(store: SqlStore, messages: list[Message]) -> float:
    """Return the time of all messages together, by their number."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for one in messages:
            group.create_task(live(store, one))
    return (time.perf_counter() - began) / len(messages)


@asynccontextmanager
async def stores() -> AsyncIterator[dict[str, SqlStore]]:
    """Yield an empty store of each kind."""
    programs = postgresql_programs()
    if programs is None:
        sys.exit("there is no PostgreSQL server here: apt-get install postgresql")
    server = PostgresqlServer(programs, {"fsync": "on"})
    server.initialize()
    try:
        await server.start()
        with tempfile.TemporaryDirectory() as folder:
            file = f"sqlite:///{Path(folder)}/router.db"
            async with open_store(file) as sqlite, open_store(server.url()) as postgresql:
                yield {"SQLite": sqlite, "PostgreSQL": postgresql}
    finally:
        server.remove()


async def main(count: int) -> None:
    """Measure, in turns, and print."""
    ways = {"one after another": one_by_one, f"{count} at once": at_once}
    took: dict[tuple[str, str], list[float]] = {}
    number = 0
    async with stores() as kinds:
        for _ in range(ROUNDS):
            for way, run in ways.items():
                messages = [message(number + n) for n in range(1, count + 1)]
                number += count
                for kind, store in kinds.items():
                    took.setdefault((way, kind), []).append(await run(store, messages))
    print("| a message's statements | SQLite | PostgreSQL | ratio |")
    print("|---|---|---|---|")
    for way in ways:
        sqlite, postgresql = (min(took[way, kind]) * 1000 for kind in ("SQLite", "PostgreSQL"))
        row = f"| {way} | {sqlite:.2f} ms | {postgresql:.2f} ms | x {postgresql / sqlite:.1f} |"
        print(row)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="messages of a round")
    asyncio.run(main(parser.parse_args().count))
