"""The namespaces of tenants, and the objects in them: nothing else of the cluster is read.

A tenant is a namespace with a label. Controller and router hold rights only there, so
they follow each such namespace by itself. Namespaces come and go while they run, and
the rights in a new one come a moment later than its label.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.resources import NAMESPACES, TENANT_LABEL, Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, NotFoundError
from sympozium.kube.informer import Informer
from sympozium.kube.objects import (
    HeldObjects,
    Index,
    Keep,
    Key,
    letting_go,
    without_managed_fields,
)
from sympozium.kube.source import FIRST_BACKOFF_S, MAX_BACKOFF_S, Scope, Source

log = logging.getLogger(__name__)

TENANT = "true"
"""Value of the label that makes a namespace a tenant."""

NamespaceListener = Callable[[str], None]
"""Called with the name of a namespace that became a tenant, or is none any more."""


class TenantInformer(HeldObjects):
    """All objects of one kind in the namespaces of tenants. Made by `Tenants.informer`."""

    def __init__(
        self,
        kube: Kube,
        resource: Resource,
        selectors: Mapping[str, str],
        *,
        indexes: dict[str, Index] | None,
        keep: Keep,
    ) -> None:
        super().__init__(indexes=indexes, keep=keep)
        self._kube = kube
        self._resource = resource
        self._selectors = selectors
        self._sources: dict[str, Source] = {}

    def remember(self, obj: Object) -> None:
        """Take in what a write of ours returned, unless its namespace is no tenant's.

        See `Source.remember`.
        """
        source = self._sources.get(obj["metadata"].get("namespace", ""))
        if source is not None:
            source.remember(obj)

    def enter(self, namespace: str) -> Source:
        """Return what keeps up the objects of *namespace* from now on."""
        scope = Scope(self._resource, namespace, self._selectors)
        source = self._sources[namespace] = Source(self._kube, scope, self)
        return source

    def leave(self, namespace: str) -> None:
        """Hold nothing of *namespace* any more; whoever listens is told that it is gone."""
        self._sources.pop(namespace, None)
        self.replace_all(namespace, {})


class Tenants:
    """Which namespaces are tenants, and what keeps the copies of their objects up.

    The objects of a namespace are shown together, once every kind of them was listed:
    nobody sees a run whose pod is not known yet.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._namespaces = Informer(
            kube, NAMESPACES, keep=_name_and_uid, labelSelector=f"{TENANT_LABEL}={TENANT}"
        )
        self._namespaces.listen(self._namespace_changed)
        self._informers: list[TenantInformer] = []
        self._listeners: list[NamespaceListener] = []
        self._followed: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._shown: set[str] = set()
        self._awaited: set[str] = set()
        self._changed = asyncio.Event()
        self.synced = asyncio.Event()
        """Set once the tenants that were there at first are shown.

        One in which we have no rights does not hold up the others.
        """

    def informer(
        self,
        resource: Resource,
        *,
        indexes: dict[str, Index] | None = None,
        keep: Keep = without_managed_fields,
        **selectors: str,
    ) -> TenantInformer:
        """Return the copies of one kind. Ask for all of them before `run`."""
        made = TenantInformer(self._kube, resource, selectors, indexes=indexes, keep=keep)
        self._informers.append(made)
        return made

    def names(self) -> list[str]:
        """Return the namespaces that are tenants now."""
        return [obj["metadata"]["name"] for obj in self._namespaces.all()]

    def serves(self, namespace: str) -> bool:
        """Return whether *namespace* is a tenant."""
        return self._namespaces.get("", namespace) is not None

    def is_ending(self, namespace: str) -> bool:
        """Return whether *namespace* is a tenant that is being deleted: nothing is made there."""
        found = self._namespaces.get("", namespace)
        return found is not None and "deletionTimestamp" in found["metadata"]

    async def is_tenant(self, namespace: str) -> bool:
        """Return whether *namespace* is a tenant; that it is none is asked of the API server.

        Raises:
            UnavailableError: It does not answer.
        """
        if self.serves(namespace):
            return True
        try:
            found = await self._kube.get(NAMESPACES, None, namespace)
        except NotFoundError:
            return False
        return (found["metadata"].get("labels") or {}).get(TENANT_LABEL) == TENANT

    def is_shown(self, namespace: str) -> bool:
        """Return whether the objects of *namespace* were complete since it became a tenant."""
        return namespace in self._shown

    def listen(self, listener: NamespaceListener) -> None:
        """Have *listener* called for every tenant, and for every one that comes or goes."""
        self._listeners.append(listener)
        for namespace in list(self._followed):
            listener(namespace)

    def listened_to(self) -> AbstractContextManager[None]:
        """Let go, when the block is left, of whoever began to listen inside it."""
        return letting_go(self._listeners)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the copies up until *stop* is set.

        Raises:
            PermanentError: The server refuses us the namespaces, or does not know a kind.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._namespaces.run(stop))
            keeper = group.create_task(self._follow_all(group))
            await stop.wait()
            keeper.cancel()
            for _, task in self._followed.values():
                task.cancel()

    async def _follow_all(self, group: asyncio.TaskGroup) -> None:
        await self._namespaces.synced.wait()
        self._awaited = set(self.names())
        self._settle("")
        while True:
            self._changed.clear()
            uids = {obj["metadata"]["name"]: obj["metadata"]["uid"] for obj in self._all()}
            gone = [name for name, (uid, _) in self._followed.items() if uids.get(name) != uid]
            for name in gone:
                self._leave(name)
            for name in [name for name in uids if name not in self._followed]:
                task = group.create_task(self._follow(name))
                self._followed[name] = uids[name], task
                self._tell(name)
            await self._changed.wait()

    async def _follow(self, namespace: str) -> None:
        sources = [informer.enter(namespace) for informer in self._informers]
        await self._show(namespace, sources)
        async with asyncio.TaskGroup() as group:
            for source in sources:
                group.create_task(source.follow(is_listed=True, may_be_refused=True))

    async def _show(self, namespace: str, sources: list[Source]) -> None:
        """Have the objects of *namespace* held, as soon as all of them can be read."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                listed = [await source.list() for source in sources]
                break
            except (TransientError, ForbiddenError) as error:
                cause = error
                if isinstance(error, ForbiddenError):
                    self._settle(namespace)
            except PermanentError as error:
                raise PermanentError(f"cannot follow namespace {namespace!r}: {error}") from error
            extra = {"action": "retry", "namespace": namespace, "cause": str(cause)}
            log.warning("tenant cannot be read yet", extra=extra)
            await asyncio.sleep(backoff_s * random.uniform(0.5, 1))  # noqa: S311 - jitter
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)
        for source, found in zip(sources, listed, strict=True):
            source.reveal(found)
        self._shown.add(namespace)
        self._settle(namespace)
        log.info("tenant followed", extra={"action": "follow", "namespace": namespace})

    def _leave(self, namespace: str) -> None:
        _, task = self._followed.pop(namespace)
        task.cancel()
        self._shown.discard(namespace)
        for informer in self._informers:
            informer.leave(namespace)
        self._settle(namespace)
        self._tell(namespace)
        log.info("tenant left", extra={"action": "leave", "namespace": namespace})

    def _settle(self, namespace: str) -> None:
        """Wait for *namespace* no longer before the copies are said to be complete."""
        self._awaited.discard(namespace)
        if not self._awaited and not self.synced.is_set():
            self.synced.set()
            for informer in self._informers:
                informer.synced.set()

    def _tell(self, namespace: str) -> None:
        for listener in self._listeners:
            listener(namespace)

    def _all(self) -> list[Object]:
        return list(self._namespaces.all())

    def _namespace_changed(self, _: Key, __: Object | None, ___: Object | None) -> None:
        self._changed.set()


def _name_and_uid(namespace: Object) -> Object:
    metadata = namespace["metadata"]
    kept = ("name", "uid", "resourceVersion", "deletionTimestamp")
    return {"metadata": {field: metadata[field] for field in kept if field in metadata}}
