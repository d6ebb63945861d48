"""A local copy of one kind's objects, kept up by list and watch.

Reconcilers read from it, so that nothing is ever polled and a burst of work
costs no reads. What it holds may be a moment old: fence writes by resource
version or by deterministic names.
"""

import asyncio

from sympozium.contract.resources import Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.objects import (
    HeldObjects,
    Index,
    Keep,
    Key,
    Listener,
    without_managed_fields,
)
from sympozium.kube.source import Scope, Source

__all__ = ["Index", "Informer", "Keep", "Key", "Listener", "without_managed_fields"]


class Informer(HeldObjects):
    """All objects of one kind, of one namespace or (None) of all.

    What only the namespaces of tenants may show is followed by `sympozium.kube.tenants`.
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
        super().__init__(indexes=indexes, keep=keep)
        self._source = Source(kube, Scope(resource, namespace, selectors), self)

    def remember(self, obj: Object) -> None:
        """Take in what a write of ours returned; see `Source.remember`."""
        self._source.remember(obj)

    async def run(self, stop: asyncio.Event) -> None:
        """List, then watch, over and over, until *stop* is set.

        Raises:
            PermanentError: The server refuses: a missing role or kind.
        """
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._source.follow())
            await stop.wait()
            task.cancel()
