"""Events are forgotten after an hour."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sympozium_local.apiserver.garbage import SWEPT_AT_ONCE
from sympozium_local.apiserver.server import serve

EVENTS = "/api/v1/namespaces/default/events"
OLD = SWEPT_AT_ONCE + 20
YOUNG = 3


def event(name: str) -> dict[str, Any]:
    """Return an Event about nothing in particular."""
    about = {"kind": "Pod", "namespace": "default", "name": "p"}
    return {"metadata": {"name": name}, "involvedObject": about, "reason": "Tested"}


async def test_events_older_than_an_hour_go_when_a_new_one_comes(
    data_dir: Path, connect: Any
) -> None:
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        for number in range(OLD):
            await api.create(EVENTS, event(f"old-{number}"))
        for number in range(YOUNG):
            await api.create(EVENTS, event(f"a-young-{number}"))
    make_old(data_dir)
    async with serve(data_dir) as endpoint, connect(endpoint) as api:
        listed = (await api.get(EVENTS))["metadata"]["resourceVersion"]
        await api.create(EVENTS, event("new"))
        async with api.watch(EVENTS, resourceVersion=listed) as watch:
            gone: set[str] = set()
            while len(gone) < OLD:
                type_, obj = await watch.next()
                if type_ == "DELETED":
                    gone.add(obj["metadata"]["name"])
        assert all(name.startswith("old-") for name in gone)
        left = {one["metadata"]["name"] for one in (await api.get(EVENTS))["items"]}
        assert left == {"new", *(f"a-young-{number}" for number in range(YOUNG))}


def make_old(data_dir: Path) -> None:
    """Let the events that are called old have been made long ago."""
    (file,) = data_dir.glob("*.db")
    made = "json_set(CAST(body AS TEXT), '$.metadata.creationTimestamp', '2020-01-01T00:00:00Z')"
    changed = (
        f"UPDATE objects SET body=CAST({made} AS BLOB) WHERE key='events' AND name LIKE 'old%'"  # noqa: S608 - fixed words
    )
    with closing(sqlite3.connect(file)) as database, database:
        assert database.execute(changed).rowcount == OLD
