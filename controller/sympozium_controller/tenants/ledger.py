"""In which namespaces something of ours is, noted before the first of it is made.

A namespace that lost its label while no controller ran is a tenant no more, and we may not
look into others to find what we made. So it is written down where we may always read.
"""

import contextlib

from sympozium.contract.resources import CONFIG_MAPS
from sympozium.kube.client import Kube
from sympozium.kube.errors import AlreadyExistsError, NotFoundError
from sympozium_controller.furniture import made_labels

LEDGER = "sympozium-tenants"
"""ConfigMap in the system's namespace; each key of its data is the name of a namespace."""


class Ledger:
    """The namespaces in which something of ours is, or may be."""

    def __init__(self, kube: Kube, system_namespace: str) -> None:
        self._kube = kube
        self.system_namespace = system_namespace
        self._known: set[str] = set()

    async def read(self) -> set[str]:
        """Return the namespaces that are noted.

        Raises:
            TransientError: The API server does not say.
        """
        try:
            found = await self._kube.get(CONFIG_MAPS, self.system_namespace, LEDGER)
        except NotFoundError:
            return set()
        self._known = set(found.get("data") or {})
        return set(self._known)

    async def add(self, namespace: str) -> None:
        """Note *namespace*, unless it is noted; raises as `read`."""
        if namespace in self._known:
            return
        try:
            await self._patch({namespace: ""})
        except NotFoundError:
            with contextlib.suppress(AlreadyExistsError):
                await self._kube.create(CONFIG_MAPS, self._empty())
            await self._patch({namespace: ""})
        self._known.add(namespace)

    async def remove(self, namespace: str) -> None:
        """Note that nothing of ours is in *namespace* any more; raises as `read`."""
        with contextlib.suppress(NotFoundError):
            await self._patch({namespace: None})
        self._known.discard(namespace)

    async def _patch(self, data: dict[str, str | None]) -> None:
        await self._kube.patch(CONFIG_MAPS, self.system_namespace, LEDGER, {"data": data})

    def _empty(self) -> dict[str, object]:
        return {
            "apiVersion": CONFIG_MAPS.api_version,
            "kind": CONFIG_MAPS.kind,
            "metadata": {
                "name": LEDGER,
                "namespace": self.system_namespace,
                "labels": made_labels("controller"),
            },
        }
