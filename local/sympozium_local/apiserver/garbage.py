"""Takes away what nobody owns any more, and empties what is being deleted.

Works on uids, level-triggered: for whatever reason an object was put on the
queue, what to do about it is read from the store at that moment. At start
everything that was left half done is put there, afterwards only what changes.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sympozium_local.apiserver import crds
from sympozium_local.apiserver.authn import MASTERS, service_account
from sympozium_local.apiserver.deletion import FOREGROUND, ORPHAN, DeleteOptions
from sympozium_local.apiserver.errors import ApiError
from sympozium_local.apiserver.objects import Objects
from sympozium_local.apiserver.registry import Registry
from sympozium_local.apiserver.request import Call, User
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.store import ADDED, DELETED, Change, Row, Store

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5.0
"""After a webhook refused a deletion, or did not answer."""

WORKERS = 8
"""Deletions at once; those of one turn of the loop share one write to the disk."""

EVENT_LIFETIME = timedelta(hours=1)
"""Source: kube-apiserver's --event-ttl."""

SWEEP_EVERY = timedelta(minutes=10)
"""Old events are looked for when a new one comes, at most this often: idle costs nothing."""

SWEPT_AT_ONCE = 100
"""So many are read at a time: an hour of a busy system has tens of thousands, and all wait."""

_OLD_EVENTS = "(old events)"  # stands in the queue where else a uid does

_account = service_account("kube-system", "generic-garbage-collector")
COLLECTOR = User(_account.name, (*_account.groups, MASTERS))


class Collector:
    """Owner garbage collection, and the emptying of namespaces and of kinds."""

    def __init__(self, store: Store, registry: Registry, objects: Objects) -> None:
        self._store = store
        self._registry = registry
        self._objects = objects
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._is_waiting: set[str] = set()
        self._swept = datetime.min.replace(tzinfo=UTC)
        store.listen(self._follow)

    def _follow(self, change: Change) -> None:
        if change.key == "events" and change.type == ADDED:
            self._add(_OLD_EVENTS)
        if change.type != DELETED:
            if change.is_deleting or change.is_owned_anew:
                self._add(change.uid)
            return
        self._add(change.uid)
        for owner in change.owners:
            self._add(owner)
        if change.namespace:
            self._add_container("namespaces", change.namespace)  # to empty it further, or furnish
        self._add_container(crds.KEY, change.key)

    def _add_container(self, key: str, name: str) -> None:
        container = self._store.get(key, "", name)
        if container is not None:
            self._add(container.uid)

    def _add(self, uid: str) -> None:
        if uid not in self._is_waiting:
            self._is_waiting.add(uid)
            self._queue.put_nowait(uid)

    async def run(self) -> None:
        """Work until cancelled."""
        spaces = self._store.select("namespaces")
        for row in (*self._store.orphans(), *self._store.deleting(), *spaces):
            self._add(row.uid)
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            uid = await self._queue.get()
            self._is_waiting.discard(uid)
            await self._try(uid)
            await asyncio.sleep(0)  # requests come first

    async def _try(self, uid: str) -> None:
        try:
            await self._settle(uid)
        except ApiError as error:
            if error.code in {404, 409}:  # it changed meanwhile: look again
                self._add(uid)
                return
            log.warning(
                "deletion refused", extra={"action": "retry", "uid": uid, "cause": str(error)}
            )
            asyncio.get_running_loop().call_later(RETRY_AFTER_S, self._add, uid)

    async def _settle(self, uid: str) -> None:
        if uid == _OLD_EVENTS:
            await self._sweep_events()
            return
        row = self._store.find(uid)
        if row is None:
            for dependent in self._store.dependents(uid):
                self._add(dependent.uid)
            return
        obj = row.object()
        if "deletionTimestamp" in obj["metadata"]:
            await self._settle_deleting(row, obj)
        elif obj["metadata"].get("ownerReferences"):
            await self._settle_dependent(row, obj)
        elif row.key == "namespaces":
            self._objects.furnish(row.name)
            await self._store.durable()

    async def _sweep_events(self) -> None:
        now = datetime.now(UTC)
        if now - self._swept < SWEEP_EVERY:
            return
        self._swept = now
        after = 0
        while rows := self._store.oldest("events", after=after, limit=SWEPT_AT_ONCE):
            for row in rows:
                made = datetime.fromisoformat(row.object()["metadata"]["creationTimestamp"])
                if now - made <= EVENT_LIFETIME:
                    return
                await self._delete(row, "Background")
            after = rows[-1].id

    async def _settle_dependent(self, row: Row, obj: Object) -> None:
        """Delete an object without living owners; drop the dead ones of another."""
        owners = obj["metadata"].get("ownerReferences") or []
        living: list[Object] = []
        ending = False
        for owner in owners:
            state = self._owner_state(row, owner)
            if state == "living":
                living.append(owner)
            ending = ending or state == "ending"
        if len(living) == len(owners):
            return
        if living:
            self._objects.adjust(row, lambda one: one["metadata"].update(ownerReferences=living))
            for owner in owners:
                self._add(owner["uid"])  # one may have waited for this object
            await self._store.durable()
            return
        if "deletionTimestamp" in obj["metadata"]:
            return
        await self._delete(row, self._policy(row, obj, is_owner_ending=ending))

    def _owner_state(self, row: Row, owner: Object) -> str:
        found = self._store.find(owner["uid"])
        if found is None or found.namespace not in {"", row.namespace}:
            return "gone"
        metadata = found.object()["metadata"]
        is_ending = "deletionTimestamp" in metadata and FOREGROUND in metadata.get("finalizers", ())
        return "ending" if is_ending else "living"

    def _policy(self, row: Row, obj: Object, *, is_owner_ending: bool) -> str:
        finalizers = obj["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            return "Orphan"
        if FOREGROUND in finalizers or (is_owner_ending and self._store.dependents(row.uid)):
            return "Foreground"
        return "Background"

    async def _delete(self, row: Row, policy: str) -> None:
        served = self._registry.stored(row.key)
        if served is None:
            return
        call = Call(COLLECTOR, "delete", served, row.namespace, row.name)
        await self._objects.delete(call, DeleteOptions(propagation=policy, uid=row.uid))

    async def _settle_deleting(self, row: Row, obj: Object) -> None:
        finalizers = obj["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            for dependent in self._store.dependents(row.uid):
                self._objects.adjust(dependent, lambda one: _disown(one, row.uid))
            self._drop_finalizer(row, ORPHAN)
        elif FOREGROUND in finalizers:
            self._end_dependents(row)
        elif row.key == "namespaces":
            await self._empty_namespace(row)
        elif row.key == crds.KEY and crds.CLEANUP in finalizers:
            await self._empty_kind(row)
        await self._store.durable()

    def _end_dependents(self, row: Row) -> None:
        for dependent in self._store.dependents(row.uid):
            self._add(dependent.uid)
        blocking = [
            owner
            for dependent in self._store.dependents(row.uid)
            for owner in dependent.object()["metadata"]["ownerReferences"]
            if owner["uid"] == row.uid and owner.get("blockOwnerDeletion")
        ]
        if not blocking:
            self._drop_finalizer(row, FOREGROUND)

    async def _empty_namespace(self, row: Row) -> None:
        for content in self._store.in_namespace(row.name):
            if "deletionTimestamp" not in content.object()["metadata"]:
                await self._delete(content, "Background")
        if not self._store.in_namespace(row.name):
            self._adjust(row, lambda one: one["spec"].update(finalizers=[]))

    async def _empty_kind(self, row: Row) -> None:
        for content in self._store.select(row.name):
            if "deletionTimestamp" not in content.object()["metadata"]:
                await self._delete(content, "Background")
        if not self._store.select(row.name, limit=1):
            self._drop_finalizer(row, crds.CLEANUP)

    def _drop_finalizer(self, row: Row, name: str) -> None:
        def drop(obj: Object) -> None:
            metadata = obj["metadata"]
            metadata["finalizers"] = [one for one in metadata.get("finalizers", ()) if one != name]

        self._adjust(row, drop)

    def _adjust(self, row: Row, edit: Callable[[Object], None]) -> None:
        current = self._store.find(row.uid)  # deleting its contents may have changed it
        if current is not None:
            self._objects.adjust(current, edit)


def _disown(obj: Object, uid: str) -> None:
    metadata = obj["metadata"]
    metadata["ownerReferences"] = [
        owner for owner in metadata["ownerReferences"] if owner["uid"] != uid
    ]
