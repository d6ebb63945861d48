"""A running system in which little is kept, and only for minutes, so that a soak sees it go.

What is kept for days is made days older once it is minutes old; then the router's own
pruning deletes it. The streams are made small, as whoever runs the bus can.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from sympozium.bus.nats import Address, NatsBus, connect
from sympozium.contract.errors import TransientError
from sympozium.contract.subjects import DEAD, STREAMS, reply_prefix
from sympozium.store.database import Database
from sympozium.store.kinds import open_database
from sympozium.store.schema import conversations, messages, notes, refusals
from sympozium.store.sql import SqlStore
from sympozium_local.system.bus_access import CONTROLLER_USER, bus_access
from sympozium_local.system.home import Home, read_json
from sympozium_router.upkeep import KEEP_NOTES, Pruning

KEEP = timedelta(days=2)
"""The least that `SYMPOZIUM_KEEP_DAYS` may say."""

AGED_BY = KEEP_NOTES + timedelta(days=1)
EVERY_S = 5.0
DATED = (
    (messages, "ended_at"),
    (conversations, "changed_at"),
    (refusals, "told_at"),
    (notes, "written_at"),
)


@asynccontextmanager
async def keeping_little(home: Home, *, for_s: float, stream_bytes: int) -> AsyncIterator[None]:
    """Keep each stream so small, and what lies in the store only *for_s*, while the block lasts.

    The dead letters, which are short and few, have a hundredth of that.
    """
    port = read_json(home.ports)["nats"]
    url, password = f"nats://127.0.0.1:{port}", bus_access(home).controller_password
    prefix = reply_prefix("controller")
    (file,) = home.router.glob("*.db")
    database = open_database(f"sqlite+aiosqlite:///{file}", connections=2)
    address = Address(url, "soak", prefix, user=CONTROLLER_USER, password=password)
    try:
        async with connect(address) as bus, asyncio.TaskGroup() as group:
            await _shrink(bus, stream_bytes)
            task = group.create_task(_age_loop(bus, database, timedelta(seconds=for_s)))
            yield
            task.cancel()
    finally:
        await database.close()


async def _shrink(bus: NatsBus, size_bytes: int) -> None:
    jetstream = bus.client.jetstream()
    for stream in STREAMS:
        config = (await jetstream.stream_info(stream.name)).config
        config.max_bytes = size_bytes // 100 if stream.name == DEAD else size_bytes
        await jetstream.update_stream(config)


async def _age_loop(bus: NatsBus, database: Database, kept_for: timedelta) -> None:
    pruning = Pruning(bus, SqlStore(database), KEEP, lambda: datetime.now(UTC))
    never = asyncio.Event()
    while True:
        with suppress(TransientError):  # the router is at it: next time
            await _age(database, datetime.now(UTC) - kept_for)
            await pruning.prune(never)
        await asyncio.sleep(EVERY_S)


async def _age(database: Database, before: datetime) -> None:
    """Make what was written *before* older by days, if it is not old."""
    made = before - AGED_BY

    def step(connection: sa.Connection) -> None:
        for table, name in DATED:
            column = table.c[name]
            is_due = sa.and_(column < before, column > made + timedelta(hours=1))
            connection.execute(table.update().where(is_due).values({name: made}))

    await database.write(step)
