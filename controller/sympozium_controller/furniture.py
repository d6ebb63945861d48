"""What every tenant with an agent needs once: rights, identities and limits of its pods."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from sympozium.contract.resources import (
    CLUSTER_ROLES,
    COMPONENT_LABEL,
    MANAGED_BY_LABEL,
    NETWORK_POLICIES,
    PART_OF_LABEL,
    REACHES_API_LABEL,
    ROLE_BINDINGS,
    RUN_SERVICE_ACCOUNT,
    SERVICE_ACCOUNTS,
    Object,
    Resource,
)
from sympozium.kube.client import Kube
from sympozium_controller.runs.pod import API_SKILLS, skill_service_account
from sympozium_controller.settings import PodSettings

log = logging.getLogger(__name__)

FIELD_MANAGER = "sympozium-controller"

API_POLICY = f"{RUN_SERVICE_ACCOUNT}-api"
"""NetworkPolicy of the run pods that have a skill that reads the API server."""

CONTROLLER_ROLE = "sympozium-tenant-controller"
ROUTER_ROLE = "sympozium-tenant-router"

PROGRAMS = {"controller": CONTROLLER_ROLE, "router": ROUTER_ROLE}
"""The ClusterRole that a program of the system holds in the namespace of a tenant."""


def skill_role(skill: str) -> str:
    """Name the ClusterRole that the token of *skill* holds in the namespace of its run."""
    return f"sympozium-skill-{skill}"


def rights(namespace: str, system_namespace: str) -> Iterator[Object]:
    """Yield the RoleBindings by which controller and router may work in *namespace*."""
    for program, role in PROGRAMS.items():
        account = {"name": f"sympozium-{program}", "namespace": system_namespace}
        yield _role_binding(namespace, role, account, component=program)


def namespace_objects(namespace: str, settings: PodSettings) -> Iterator[tuple[Resource, Object]]:
    """Yield what *namespace* needs before its first run."""
    yield SERVICE_ACCOUNTS, _service_account(namespace, RUN_SERVICE_ACCOUNT)
    for skill in sorted(API_SKILLS):
        name = skill_service_account(skill)
        account = {"name": name, "namespace": namespace}
        yield SERVICE_ACCOUNTS, _service_account(namespace, name)
        yield ROLE_BINDINGS, _role_binding(namespace, skill_role(skill), account, component="run")
    yield NETWORK_POLICIES, _network_policy(namespace, RUN_SERVICE_ACCOUNT, {}, settings.run_egress)
    if settings.api_egress:
        reaching, rules = {REACHES_API_LABEL: "true"}, settings.api_egress
        yield NETWORK_POLICIES, _network_policy(namespace, API_POLICY, reaching, rules)


class Furniture:
    """Sets up the namespaces of tenants, each once while it is one.

    Of a namespace that is no tenant any more nothing is remembered.
    """

    def __init__(self, kube: Kube, settings: PodSettings) -> None:
        self._kube = kube
        self._settings = settings
        self._ready: dict[str, int] = {}
        self._generations = itertools.count()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def ensure(self, namespace: str) -> int:
        """Make everything that runs in *namespace* need be there; return its generation.

        The generation is another one when what was made in the namespace was taken away.

        Raises:
            TransientError: Try again.
        """
        if namespace not in self._ready or self._lock(namespace).locked():
            async with self._lock(namespace):  # an Agent, a Channel and a run may come at once
                if namespace not in self._ready:
                    await self._set_up(namespace, next(self._generations))
                return self._ready[namespace]
        return self._ready[namespace]

    async def restore(self, namespace: str) -> None:
        """Set *namespace* up again: somebody took away a part of what was made there.

        Raises:
            TransientError: Try again.
        """
        async with self._lock(namespace):
            before = self._ready.pop(namespace, None)
            await self._set_up(namespace, next(self._generations) if before is None else before)

    @asynccontextmanager
    async def closed(self, namespace: str) -> AsyncIterator[None]:
        """Have nobody set *namespace* up while the block lasts, and all do it anew afterwards."""
        async with self._lock(namespace):
            self._ready.pop(namespace, None)
            yield

    async def _set_up(self, namespace: str, generation: int) -> None:
        for resource, obj in namespace_objects(namespace, self._settings):
            await self._kube.apply(resource, obj, manager=FIELD_MANAGER)
        self._ready[namespace] = generation
        log.info("namespace set up", extra={"action": "apply", "namespace": namespace})

    def _lock(self, namespace: str) -> asyncio.Lock:
        return self._locks.setdefault(namespace, asyncio.Lock())


def made_labels(component: str) -> dict[str, str]:
    """Return the labels of what the controller makes in the namespace of a tenant.

    One listing by them shows all of it; by them it is found again when it has to go.
    """
    return {
        MANAGED_BY_LABEL: "sympozium",
        PART_OF_LABEL: "sympozium",
        COMPONENT_LABEL: component,
    }


def _head(resource: Resource, namespace: str, name: str, component: str) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace, "labels": made_labels(component)},
    }


def _service_account(namespace: str, name: str) -> Object:
    head = _head(SERVICE_ACCOUNTS, namespace, name, "run")
    return {**head, "automountServiceAccountToken": False}


def _role_binding(namespace: str, role: str, account: Object, *, component: str) -> Object:
    return {
        **_head(ROLE_BINDINGS, namespace, role, component),
        "roleRef": {"apiGroup": CLUSTER_ROLES.group, "kind": CLUSTER_ROLES.kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", **account}],
    }


def _network_policy(
    namespace: str, name: str, labels: dict[str, str], egress: Sequence[Object]
) -> Object:
    return {
        **_head(NETWORK_POLICIES, namespace, name, "run"),
        "spec": {
            "podSelector": {"matchLabels": {COMPONENT_LABEL: "run", **labels}},
            "policyTypes": ["Ingress", "Egress"],
            "egress": list(egress),
        },
    }
