"""A local copy of one kind's objects, kept up by list and watch.

Reconcilers read from it, so that nothing is ever polled and a burst of work
costs no reads. What it holds may be a moment old: fence writes by resource
version or by deterministic names.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import GoneError

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is ""."""

Listener = Callable[[Key, Object | None, Object | None], None]
"""Called with (key, old, new) after each change; new is None when the object is gone."""

Index = Callable[[Object], Iterable[str]]
"""Returns the values under which `by_index` shall find an object."""

FIRST_BACKOFF_S = 0.1
Keep = Callable[[Object], Object]
"""Returns the part of an object that is held: ten thousand whole ones do not fit a small pod."""

MAX_BACKOFF_S = 10.0

PAGE_SIZE = 500
"""Objects asked for at once, so that a long list is never in memory as a whole."""


def without_managed_fields(obj: Object) -> Object:
    """Return *obj* without the record of who owns which field, often half of it.

    A server that is given an object without them keeps those that it has.
    """
    obj["metadata"].pop("managedFields", None)
    return obj


class Informer:
    """All objects of one kind, of one namespace or (None) of all.

    Listeners are called in the loop's task and must not block; usually one adds
    the key to a `WorkQueue`.
    """

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        namespace: str | None = None,
        *,
        indexes: dict[str, Index] | None = None,
        keep: Keep = without_managed_fields,
        **selectors: str,
    ) -> None:
        self._kube = kube
        self._resource = resource
        self._namespace = namespace
        self._selectors = selectors
        self._keep = keep
        self._objects: dict[Key, Object] = {}
        self._indexes = indexes or {}
        self._indexed: dict[tuple[str, str], set[Key]] = {}
        self._listeners: list[Listener] = []
        self._version = "0"
        self.synced = asyncio.Event()
        """Set after the first complete list."""

    def listen(self, listener: Listener) -> None:
        """Have *listener* called for every object that is there, and for every later change."""
        self._listeners.append(listener)
        for key, obj in list(self._objects.items()):
            listener(key, None, obj)

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        """Let go, when the block is left, of whoever began to listen inside it."""
        before = list(self._listeners)
        try:
            yield
        finally:
            self._listeners = before

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the copy of an object. Do not change it."""
        return self._objects.get((namespace, name))

    def all(self) -> Iterable[Object]:
        """Return every object. Do not change them."""
        return self._objects.values()

    def by_index(self, index: str, value: str) -> list[Object]:
        """Return the objects for which the index function *index* yielded *value*."""
        return [self._objects[key] for key in self._indexed.get((index, value), ())]

    def remember(self, obj: Object) -> None:
        """Take in what a write of ours returned, before the watch brings it. It is ours now.

        An older version than the one held is ignored, and so is an object that the
        watch has passed by already: it is not held because it is gone again.
        """
        if self._objects.get(_key(obj)) is not None or _version(obj) > int(self._version):
            self._take(obj)

    def hold(self, key: Key, part: Object) -> None:
        """Hold only *part* of an object until it changes. Nobody is told, and no index."""
        self._objects[key] = part

    def _take(self, obj: Object) -> None:
        key = _key(obj)
        held = self._objects.get(key)
        if held is None or _version(held) < _version(obj):
            self._set(key, self._keep(obj))

    async def run(self, stop: asyncio.Event) -> None:
        """List, then watch, over and over, until *stop* is set.

        Raises:
            PermanentError: The server refuses: a missing role or kind.
        """
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._follow())
            await stop.wait()
            task.cancel()

    async def _follow(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        version: str | None = None
        while True:
            try:
                if version is None:
                    version = await self._relist()
                version = await self._watch(version)
                backoff_s = FIRST_BACKOFF_S
                continue
            except GoneError:
                version = None
                backoff_s = FIRST_BACKOFF_S  # the server is there; it only forgot
            except TransientError as error:
                log.warning(
                    "informer lost its watch",
                    extra={"action": "retry", "kind": self._resource.kind, "cause": str(error)},
                )
                version = self._version if version is not None else None
            except PermanentError as error:
                raise PermanentError(f"cannot follow {self._resource.plural}: {error}") from error
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    async def _relist(self) -> str:
        fresh: dict[Key, Object] = {}
        query = {"limit": str(PAGE_SIZE), **self._selectors}
        while True:
            listed = await self._kube.list(self._resource, self._namespace, **query)
            fresh |= {_key(obj): self._keep(obj) for obj in listed.items}
            if not listed.next_page:
                break
            query["continue"] = listed.next_page
        for key in [key for key in self._objects if key not in fresh]:
            self._set(key, None)
        for key, obj in fresh.items():
            held = self._objects.get(key)
            if held is None or _version(held) != _version(obj):
                self._set(key, obj)
        self._version = listed.resource_version
        self.synced.set()
        return self._version

    async def _watch(self, version: str) -> str:
        self._version = version
        async for event in self._kube.watch(
            self._resource, self._namespace, since=version, **self._selectors
        ):
            self._version = event.object["metadata"]["resourceVersion"]
            if event.type == "BOOKMARK":
                continue
            key = _key(event.object)
            if event.type == "DELETED":
                self._set(key, None)
            else:
                self._take(event.object)
        return self._version

    def _set(self, key: Key, obj: Object | None) -> None:
        old = self._objects.pop(key, None)
        for name, index in self._indexes.items():
            for value in index(old) if old is not None else ():
                self._indexed[name, value].discard(key)
                if not self._indexed[name, value]:
                    del self._indexed[name, value]
            for value in index(obj) if obj is not None else ():
                self._indexed.setdefault((name, value), set()).add(key)
        if obj is not None:
            self._objects[key] = obj
        for listener in self._listeners:
            listener(key, old, obj)


def _key(obj: Object) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _version(obj: Object) -> int:
    # Opaque by the API's rules, but a growing integer since 1.35 by KEP-5504.
    return int(obj["metadata"].get("resourceVersion", "0"))
