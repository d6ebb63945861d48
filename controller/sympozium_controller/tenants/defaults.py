"""The quota and the limits of a tenant whose operator has set none of its own."""

import contextlib
from collections.abc import Iterator

from sympozium.contract.resources import LIMIT_RANGES, RESOURCE_QUOTAS, Object, Resource
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from sympozium_controller.furniture import FIELD_MANAGER, made_labels
from sympozium_controller.settings import TenantDefaults

DEFAULTS = "sympozium-defaults"
"""Name of the ResourceQuota and of the LimitRange that we make."""


class Defaulting:
    """Gives tenants the defaults, and takes them back where they are not wanted."""

    def __init__(self, kube: Kube, defaults: TenantDefaults) -> None:
        self._kube = kube
        self._defaults = defaults

    async def apply(self, namespace: str) -> None:
        """Make the defaults be in *namespace*, kind by kind, where it has none of its own.

        Raises:
            TransientError: Try again.
        """
        for resource, spec in self._specs():
            there = [
                one["metadata"]["name"]
                for one in (await self._kube.list(resource, namespace)).items
            ]
            has_its_own = any(name != DEFAULTS for name in there)
            if spec and not has_its_own:
                wanted = _object(resource, namespace, spec)
                await self._kube.apply(resource, wanted, manager=FIELD_MANAGER)
            elif DEFAULTS in there:
                with contextlib.suppress(NotFoundError):
                    await self._kube.delete(resource, namespace, DEFAULTS)

    def _specs(self) -> Iterator[tuple[Resource, Object]]:
        """Yield the spec of each kind; an empty one: that kind is not wanted."""
        quota, limits = self._defaults.quota, self._defaults.limits
        yield RESOURCE_QUOTAS, {"hard": quota} if quota else {}
        yield LIMIT_RANGES, {"limits": list(limits)} if limits else {}


def _object(resource: Resource, namespace: str, spec: Object) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": DEFAULTS,
            "namespace": namespace,
            "labels": made_labels("tenant"),
        },
        "spec": spec,
    }
