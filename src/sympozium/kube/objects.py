"""Objects that are held in memory: found by name or by index, and told about when they change."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from sympozium.contract.resources import Object

T = TypeVar("T")

Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-scoped object is ""."""

Listener = Callable[[Key, Object | None, Object | None], None]
"""Called with (key, old, new) after each change; new is None when the object is gone."""

Index = Callable[[Object], Iterable[str]]
"""Returns the values under which `by_index` shall find an object."""

Keep = Callable[[Object], Object]
"""Returns the part of an object that is held: ten thousand whole ones do not fit a small pod."""


def without_managed_fields(obj: Object) -> Object:
    """Return *obj* without the record of who owns which field, often half of it.

    A server that is given an object without them keeps those that it has.
    """
    obj["metadata"].pop("managedFields", None)
    return obj


class HeldObjects:
    """Copies of objects of one kind. Somebody else keeps them up.

    Listeners are called in the loop's task and must not block; usually one adds
    the key to a `WorkQueue`.
    """

    def __init__(
        self, *, indexes: dict[str, Index] | None = None, keep: Keep = without_managed_fields
    ) -> None:
        self.keep = keep
        self._objects: dict[Key, Object] = {}
        self._indexes = indexes or {}
        self._indexed: dict[tuple[str, str], set[Key]] = {}
        self._listeners: list[Listener] = []
        self.synced = asyncio.Event()
        """Set once the copies were complete."""

    def listen(self, listener: Listener) -> None:
        """Have *listener* called for every object that is there, and for every later change."""
        self._listeners.append(listener)
        for key, obj in list(self._objects.items()):
            listener(key, None, obj)

    def listened_to(self) -> AbstractContextManager[None]:
        """Let go, when the block is left, of whoever began to listen inside it."""
        return letting_go(self._listeners)

    def get(self, namespace: str, name: str) -> Object | None:
        """Return the copy of an object. Do not change it."""
        return self._objects.get((namespace, name))

    def all(self) -> Iterable[Object]:
        """Return every object. Do not change them."""
        return self._objects.values()

    def by_index(self, index: str, value: str) -> list[Object]:
        """Return the objects for which the index function *index* yielded *value*."""
        return [self._objects[key] for key in self._indexed.get((index, value), ())]

    def hold(self, key: Key, part: Object) -> None:
        """Hold only *part* of an object until it changes. Nobody is told, and no index."""
        self._objects[key] = part

    def take(self, obj: Object) -> None:
        """Take in a version of an object, unless a newer one is held. It is ours now."""
        key = key_of(obj)
        held = self._objects.get(key)
        if held is None or version_of(held) < version_of(obj):
            self.put(key, self.keep(obj))

    def replace_all(self, namespace: str | None, fresh: dict[Key, Object]) -> None:
        """Hold exactly *fresh*, as kept already, of a namespace or (None) of all."""
        gone = [key for key in self._objects if key not in fresh and namespace in {None, key[0]}]
        for key in gone:
            self.put(key, None)
        for key, obj in fresh.items():
            held = self._objects.get(key)
            if held is None or version_of(held) != version_of(obj):
                self.put(key, obj)

    def put(self, key: Key, obj: Object | None) -> None:
        """Hold *obj*, as kept already, in the place of what was held; None: it is gone."""
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


@contextmanager
def letting_go(listeners: list[T]) -> Iterator[None]:
    """Let go, when the block is left, of what was put into *listeners* inside it."""
    before = list(listeners)
    try:
        yield
    finally:
        listeners[:] = before


def key_of(obj: Object) -> Key:
    """Return under which key an object is held."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def version_of(obj: Object) -> int:
    """Return the resource version of an object, which grows."""
    # Opaque by the API's rules, but a growing integer since 1.35 by KEP-5504.
    return int(obj["metadata"].get("resourceVersion", "0"))
