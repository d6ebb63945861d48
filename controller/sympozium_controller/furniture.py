"""What every namespace with an agent needs once: identities and limits of its run pods."""

import asyncio
import logging
from collections.abc import Iterator

from sympozium.contract.resources import (
    COMPONENT_LABEL,
    GROUP,
    MANAGED_BY_LABEL,
    NETWORK_POLICIES,
    ROLE_BINDINGS,
    ROLES,
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

SKILL_RULES: dict[str, list[Object]] = {
    "cluster-reader": [
        {
            "apiGroups": [""],
            "resources": ["pods", "pods/log", "events"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [GROUP], "resources": ["agentruns"], "verbs": ["get", "list", "watch"]},
    ]
}
"""What the token of a skill may do, in the namespace of the run and nowhere else."""


def namespace_objects(namespace: str, settings: PodSettings) -> Iterator[tuple[Resource, Object]]:
    """Yield what *namespace* needs before its first run."""
    yield SERVICE_ACCOUNTS, _service_account(namespace, RUN_SERVICE_ACCOUNT)
    for skill in sorted(API_SKILLS):
        name = skill_service_account(skill)
        yield SERVICE_ACCOUNTS, _service_account(namespace, name)
        yield ROLES, {**_head(ROLES, namespace, name), "rules": SKILL_RULES[skill]}
        yield ROLE_BINDINGS, _role_binding(namespace, name)
    yield NETWORK_POLICIES, _network_policy(namespace, settings)


class Furniture:
    """Sets up namespaces, each once in the life of this process."""

    def __init__(self, kube: Kube, settings: PodSettings) -> None:
        self._kube = kube
        self._settings = settings
        self._ready: set[str] = set()
        self._busy = asyncio.Lock()

    async def ensure(self, namespace: str) -> None:
        """Make everything that runs in *namespace* need be there.

        Raises:
            TransientError: Try again.
        """
        if namespace in self._ready:
            return
        async with self._busy:  # an Agent, a Channel and a run may come at once
            if namespace in self._ready:
                return
            for resource, obj in namespace_objects(namespace, self._settings):
                await self._kube.apply(resource, obj, manager=FIELD_MANAGER)
            self._ready.add(namespace)
        log.info("namespace set up", extra={"action": "apply", "namespace": namespace})

    async def restore(self, namespace: str) -> None:
        """Set *namespace* up again: somebody took away a part of what was made there.

        Raises:
            TransientError: Try again.
        """
        self.forget(namespace)
        await self.ensure(namespace)

    def forget(self, namespace: str) -> None:
        """Set *namespace* up again the next time: it may have been deleted meanwhile."""
        self._ready.discard(namespace)


def _head(resource: Resource, namespace: str, name: str) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {MANAGED_BY_LABEL: "sympozium"},
        },
    }


def _service_account(namespace: str, name: str) -> Object:
    head = _head(SERVICE_ACCOUNTS, namespace, name)
    return {**head, "automountServiceAccountToken": False}


def _role_binding(namespace: str, name: str) -> Object:
    return {
        **_head(ROLE_BINDINGS, namespace, name),
        "roleRef": {"apiGroup": ROLES.group, "kind": ROLES.kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def _network_policy(namespace: str, settings: PodSettings) -> Object:
    return {
        **_head(NETWORK_POLICIES, namespace, RUN_SERVICE_ACCOUNT),
        "spec": {
            "podSelector": {"matchLabels": {COMPONENT_LABEL: "run"}},
            "policyTypes": ["Ingress", "Egress"],
            "egress": list(settings.run_egress),
        },
    }
