"""Files become small again when what was in them is gone."""

from pathlib import Path

from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import MAX_EMPTY_BYTES, Store

OBJECTS = 2 * MAX_EMPTY_BYTES // 65_536


def an_object(number: int) -> Object:
    metadata = {"name": f"o-{number}", "namespace": "n", "uid": f"u-{number}"}
    return {"metadata": metadata, "data": "x" * 65_536}


async def test_the_objects_file_is_cut_at_the_start_where_most_of_it_is_empty(
    tmp_path: Path,
) -> None:
    path = tmp_path / "objects.db"
    store = Store(path)
    for number in range(OBJECTS):
        store.insert("things", an_object(number), shape="s", facets={})
    await store.durable()
    for row in store.select("things")[1:]:
        store.remove(row, row.object(), facets={})
    await store.durable()
    store.close()
    full = path.stat().st_size
    store = Store(path)
    assert [row.name for row in store.select("things")] == ["o-0"]
    store.close()
    assert full > 2 * MAX_EMPTY_BYTES
    assert path.stat().st_size < full // 10
