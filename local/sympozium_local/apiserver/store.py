"""Objects on disk: one SQLite file, one writer, and a version counter that only grows.

Everything runs in the event loop's thread, so that reading an object and
writing it back without an `await` between is atomic. Writes of one turn of the
loop share one transaction and one fsync; a caller answers its client only after
`durable`, and watchers hear of a change only after it is on disk.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.selectors import Facets, Selector

encode = msgspec.json.Encoder().encode
decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    uid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, shape TEXT NOT NULL,
    deleting INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (key, namespace, name));
CREATE INDEX IF NOT EXISTS by_namespace ON objects (namespace) WHERE namespace != '';
CREATE INDEX IF NOT EXISTS by_deleting ON objects (key) WHERE deleting;
CREATE TABLE IF NOT EXISTS facets (
    object INTEGER NOT NULL, facet TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (object, facet)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_facet ON facets (facet, value);
CREATE TABLE IF NOT EXISTS owners (
    object INTEGER NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (object, owner)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_owner ON owners (owner);
CREATE TABLE IF NOT EXISTS counter (version INTEGER NOT NULL);
"""


MAX_JOURNAL_BYTES = 16 * 1024 * 1024
"""What a burst leaves of the write-ahead log; beyond that it is cut."""

MAX_EMPTY_BYTES = 16 * 1024 * 1024
"""Empty pages are used again; so many of them may lie in the file of a new start."""


@dataclass(frozen=True, slots=True)
class Row:
    """One stored object.

    Attributes:
        shape: Which schema it was written under; see `registry.Served.shape`.
        raw: The object as JSON.
    """

    id: int
    key: str
    namespace: str
    name: str
    uid: str
    version: int
    shape: str
    raw: bytes

    def object(self) -> Object:
        """Return a fresh copy that the caller may change."""
        copy: Object = decode(self.raw)
        return copy


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write.

    Attributes:
        raw: The object as JSON; of a deletion, its last state.
        facets: What it can be selected by now; *old_facets*: before.
        owners: The uids in its owner references.
        is_owned_anew: They are others than before.
    """

    type: str
    key: str
    namespace: str
    name: str
    uid: str
    version: int
    raw: bytes
    facets: Facets
    old_facets: Facets
    owners: frozenset[str]
    is_owned_anew: bool
    is_deleting: bool

    def object(self) -> Object:
        """Return a fresh copy that the caller may change."""
        copy: Object = decode(self.raw)
        return copy


_OWNED = "SELECT object FROM owners WHERE owner=?"
_ORPHANED = (
    "SELECT object FROM owners WHERE NOT EXISTS (SELECT 1 FROM objects WHERE uid=owners.owner)"
)
_COUNT = "SELECT count(*) FROM objects WHERE "
_ROWS = "SELECT id, key, namespace, name, uid, version, shape, body FROM objects WHERE "


class Store:
    """All objects of all kinds.

    Attributes:
        version: The resource version of the latest write.
        committed: The resource version of the latest write that watchers know of.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(f"PRAGMA journal_size_limit={MAX_JOURNAL_BYTES}")
        self._db.executescript(_SCHEMA)
        self._give_back()
        row = self._db.execute("SELECT version FROM counter").fetchone()
        if row is None:
            self._db.execute("INSERT INTO counter VALUES (1)")
        self.version: int = row[0] if row else 1
        self.committed = self.version
        self._written: list[Change] = []
        self._durable: asyncio.Future[None] | None = None
        self._listeners: list[Callable[[Change], None]] = []

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Have *listener* called after each commit, once per change and in order."""
        self._listeners.append(listener)

    def close(self) -> None:
        """Commit what is left and close the file."""
        self._commit()
        self._db.close()

    def _give_back(self) -> None:
        """Make the file as small as what is in it, where most of a large one is empty.

        Only at the start, because everybody waits for it: some tenths of a second.
        """
        (page_bytes,), (pages,), (free,) = (
            self._db.execute(f"PRAGMA {name}").fetchone()
            for name in ("page_size", "page_count", "freelist_count")
        )
        if free * page_bytes > MAX_EMPTY_BYTES and 2 * free > pages:
            self._db.execute("VACUUM")

    def get(self, key: str, namespace: str, name: str) -> Row | None:
        """Return one object's row."""
        sql = _ROWS + "key=? AND namespace=? AND name=?"
        row = self._db.execute(sql, (key, namespace, name)).fetchone()
        return None if row is None else Row(*row)

    def find(self, uid: str) -> Row | None:
        """Return the row of the object with *uid*, of whatever kind."""
        row = self._db.execute(_ROWS + "uid=?", (uid,)).fetchone()
        return None if row is None else Row(*row)

    def select(
        self,
        key: str,
        namespace: str = "",
        selector: Selector | None = None,
        *,
        after: tuple[str, str] | None = None,
        limit: int = -1,
    ) -> list[Row]:
        """Return a kind's rows by namespace and name, those *after* a place, at most *limit*."""
        where, parameters = self._where(key, namespace, selector)
        if after is not None:
            where += " AND (namespace, name) > (?, ?)"
            parameters += after
        sql = _ROWS + where + " ORDER BY namespace, name LIMIT ?"
        return [Row(*row) for row in self._db.execute(sql, (*parameters, limit))]

    def oldest(self, key: str, *, after: int, limit: int) -> list[Row]:
        """Return a kind's rows in the order of their creation, those *after* an id."""
        sql = _ROWS + "+key=? AND id>? ORDER BY id LIMIT ?"  # by id, however large the kind is
        return [Row(*row) for row in self._db.execute(sql, (key, after, limit))]

    def count(self, key: str, namespace: str = "", *, after: tuple[str, str]) -> int:
        """Return how many rows come after a place."""
        where, parameters = self._where(key, namespace, None)
        sql = _COUNT + where + " AND (namespace, name) > (?, ?)"
        (number,) = self._db.execute(sql, (*parameters, *after)).fetchone()
        return int(number)

    def _where(
        self, key: str, namespace: str, selector: Selector | None
    ) -> tuple[str, list[str | int]]:
        # A plus sign keeps SQLite from reading a whole kind where few objects have the label.
        mark = "+" if selector and selector.is_narrow else ""
        where, parameters = f"{mark}key=?", [key]
        if namespace:
            where += f" AND {mark}namespace=?"
            parameters.append(namespace)
        if selector:
            more, values = selector.where()
            where += more
            parameters += values
        return where, [*parameters]

    def dependents(self, uid: str) -> list[Row]:
        """Return the rows of the objects that name *uid* as an owner."""
        sql = _ROWS + f"id IN ({_OWNED})"
        return [Row(*row) for row in self._db.execute(sql, (uid,))]

    def orphans(self) -> Iterator[Row]:
        """Yield the rows of the objects one of whose owners does not exist."""
        sql = _ROWS + f"id IN ({_ORPHANED})"
        return (Row(*row) for row in self._db.execute(sql).fetchall())

    def deleting(self) -> Iterator[Row]:
        """Yield the rows of the objects that have a deletion timestamp."""
        rows = self._db.execute(_ROWS + "deleting").fetchall()
        return (Row(*row) for row in rows)

    def in_namespace(self, namespace: str) -> list[Row]:
        """Return the rows of all objects, of every kind, in a namespace."""
        sql = _ROWS + "namespace=? AND namespace != ''"
        return [Row(*row) for row in self._db.execute(sql, (namespace,))]

    def insert(self, key: str, obj: Object, *, shape: str, facets: Facets) -> None:
        """Store a new object; its resource version is set here. The name must be free."""
        new = self._change(ADDED, key, (obj, None), (facets, {}))
        cursor = self._db.execute(
            "INSERT INTO objects (key, namespace, name, uid, version, shape, deleting, body)"
            " VALUES (?,?,?,?,?,?,?,?)",
            (key, new.namespace, new.name, new.uid, new.version, shape, new.is_deleting, new.raw),
        )
        self._index(cursor.lastrowid, new.owners, facets)
        self._written.append(new)

    def replace(
        self, row: Row, states: tuple[Object, Object], *, shape: str, facets: tuple[Facets, Facets]
    ) -> None:
        """Store the new state of the object in *row*; its resource version is set here.

        *states* and *facets* are the new and the old ones.
        """
        new = self._change(MODIFIED, row.key, states, facets)
        self._db.execute(
            "UPDATE objects SET version=?, shape=?, deleting=?, body=? WHERE id=?",
            (new.version, shape, new.is_deleting, new.raw, row.id),
        )
        if facets[0] != facets[1] or new.is_owned_anew:
            self._unindex(row.id)
            self._index(row.id, new.owners, facets[0])
        self._written.append(new)

    def remove(self, row: Row, obj: Object, *, facets: Facets) -> None:
        """Remove the object in *row*, whose last state was *obj*."""
        last = self._change(DELETED, row.key, (obj, obj), (facets, facets))
        self._db.execute("DELETE FROM objects WHERE id=?", (row.id,))
        self._unindex(row.id)
        self._written.append(last)

    def _change(
        self,
        type_: str,
        key: str,
        states: tuple[Object, Object | None],
        facets: tuple[Facets, Facets],
    ) -> Change:
        obj, old = states
        metadata = obj["metadata"]
        raw = self._stamp(obj)
        owners = _owner_uids(obj)
        return Change(
            type=type_,
            key=key,
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata["uid"],
            version=self.version,
            raw=raw,
            facets=facets[0],
            old_facets=facets[1],
            owners=owners,
            is_owned_anew=owners != (_owner_uids(old) if old else frozenset()),
            is_deleting=_deleting(obj),
        )

    def index_anew(self, entries: Iterable[tuple[Row, Object, Facets]]) -> None:
        """Let objects be selected by other facets than those they were written with."""
        self._db.execute("BEGIN IMMEDIATE")
        for row, obj, facets in entries:
            self._unindex(row.id)
            self._index(row.id, _owner_uids(obj), facets)
        self._db.execute("COMMIT")

    async def durable(self) -> None:
        """Return when every write made so far survives a loss of power."""
        if self._durable is not None:
            await asyncio.shield(self._durable)

    def _stamp(self, obj: Object) -> bytes:
        if self._durable is None:
            loop = asyncio.get_running_loop()
            self._durable = loop.create_future()
            self._db.execute("BEGIN IMMEDIATE")
            loop.call_soon(self._commit)
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        return encode(obj)

    def _commit(self) -> None:
        durable, written = self._durable, self._written
        if durable is None:
            return
        self._durable, self._written = None, []
        try:
            self._db.execute("UPDATE counter SET version=?", (self.version,))
            self._db.execute("COMMIT")
        except sqlite3.Error as error:  # a full disk: nobody was told yet, so nothing is lost
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            durable.set_exception(error)
            return
        self.committed = self.version
        durable.set_result(None)
        for change in written:
            for listener in self._listeners:
                listener(change)

    def _index(self, row_id: int | None, owners: Iterable[str], facets: Facets) -> None:
        if facets:
            self._db.executemany(
                "INSERT INTO facets VALUES (?,?,?)",
                [(row_id, facet, value) for facet, value in facets.items()],
            )
        if owners:
            self._db.executemany(
                "INSERT INTO owners VALUES (?,?)", [(row_id, owner) for owner in owners]
            )

    def _unindex(self, row_id: int) -> None:
        self._db.execute("DELETE FROM facets WHERE object=?", (row_id,))
        self._db.execute("DELETE FROM owners WHERE object=?", (row_id,))


def _owner_uids(obj: Object) -> frozenset[str]:
    return frozenset(owner["uid"] for owner in obj["metadata"].get("ownerReferences") or ())


def _deleting(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]
