"""Controllers that serve the webhook of one embedded API server, as its Service sees them."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sympozium.contract.resources import (
    AGENTS,
    CHANNELS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ENDPOINTS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    VALIDATING_WEBHOOKS,
    Object,
)
from sympozium.kube.client import Kube, connect
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.tenants import Tenants
from sympozium_controller.admission.keeping import WEBHOOK
from sympozium_controller.admission.server import Judged, Webhook
from sympozium_controller.settings import BusSettings, PodSettings, Settings
from sympozium_local.apiserver.server import serve
from tests.admission.calling import (
    KUBELET,
    MANIFESTS,
    Caller,
    connected,
    install,
    token_path,
)
from tests.admission.rules import SPACE
from tests.fixtures.nats_server import free_port

SYSTEM = "sympozium-system"
RBAC = MANIFESTS.parent / "rbac"
WAIT_S = 10.0

_KINDS = {
    one.kind: one
    for one in (SERVICE_ACCOUNTS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, ROLES, ROLE_BINDINGS)
}


@dataclass
class Installation:
    """An API server with our webhook configured, and as many controllers as a test starts."""

    admin: Kube
    caller: Caller
    url: str
    ca_file: Path
    folder: Path

    async def install(self, tenant: str) -> None:
        """Apply the controller's rights, the empty Secret and the webhook's configuration."""
        for name in ("controller", "tenants"):
            for obj in filter(None, yaml.safe_load_all((RBAC / f"{name}.yaml").read_text())):
                await self.admin.apply(_KINDS[obj["kind"]], obj, manager="test")
        reference = {
            "apiGroup": ROLES.group,
            "kind": "ClusterRole",
            "name": "sympozium-tenant-controller",
        }
        account = {
            "kind": "ServiceAccount",
            "name": "sympozium-controller",
            "namespace": SYSTEM,
        }
        binding = {
            "apiVersion": ROLE_BINDINGS.api_version,
            "kind": ROLE_BINDINGS.kind,
            "metadata": {"name": "sympozium-tenant-controller", "namespace": tenant},
            "roleRef": reference,
            "subjects": [account],
        }
        await self.admin.apply(ROLE_BINDINGS, binding, manager="test")
        await self.admin.create(SECRETS, empty_secret())
        await self.admin.create(VALIDATING_WEBHOOKS, configuration())

    async def endpoint(self) -> Endpoint:
        """Return the API server as the controller's ServiceAccount reaches it."""
        path = token_path(SYSTEM, "sympozium-controller")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = await self.caller.acting_as(KUBELET).call("POST", path, body)
        file = self.folder / f"token-{secrets.token_hex(4)}"
        file.write_text(answer.body["status"]["token"])
        return Endpoint(self.url, self.ca_file, file)

    @asynccontextmanager
    async def controller(self) -> AsyncIterator["Served"]:
        """Yield one controller's part in the webhook; it is not asked before it is `lead_to`."""
        settings = Settings(
            BusSettings("nats://nowhere"),
            PodSettings("nats://nowhere"),
            health_host="127.0.0.1",
            webhook_port=free_port(),
        )
        stop = asyncio.Event()
        async with connect(await self.endpoint()) as kube, asyncio.TaskGroup() as group:
            tenants = Tenants(kube)
            judged_by = Judged(tenants.informer(AGENTS), tenants.informer(CHANNELS))
            webhook = Webhook(kube, judged_by, settings)
            group.create_task(tenants.run(stop))
            group.create_task(webhook.run(stop))
            try:
                yield Served(self, webhook, settings.webhook_port)
            finally:
                stop.set()

    async def lead_to(self, *served: "Served") -> None:
        """Have the Service lead to these controllers, the first one first."""
        subsets = [
            {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "webhook", "port": one.port}]}
            for one in served
        ]
        obj: Object = {
            "apiVersion": ENDPOINTS.api_version,
            "kind": ENDPOINTS.kind,
            "metadata": {"name": WEBHOOK, "namespace": SYSTEM},
            "subsets": subsets,
        }
        await self.admin.apply(ENDPOINTS, obj, manager="test")

    async def bundle(self) -> str:
        """Return whom the API server trusts."""
        return str((await self._told()).get("caBundle", ""))

    async def path(self) -> str:
        """Return where the API server asks."""
        return str((await self._told())["service"].get("path", ""))

    async def _told(self) -> Object:
        found = await self.admin.get(VALIDATING_WEBHOOKS, None, WEBHOOK)
        told: Object = found["webhooks"][0]["clientConfig"]
        return told

    async def secret(self) -> dict[str, Any]:
        """Return what the Secret holds."""
        found = await self.admin.get(SECRETS, SYSTEM, WEBHOOK)
        data: dict[str, Any] = found.get("data") or {}
        return data


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Installation]:
    """Yield an API server with policies and webhook, and no controller yet."""
    async with serve(folder / "data") as endpoint:
        context = ssl.create_default_context(cafile=str(endpoint.ca_file))
        headers = {"Authorization": f"Bearer {endpoint.token_file.read_text()}"}
        administrator = Endpoint(endpoint.url, endpoint.ca_file, endpoint.token_file)
        async with (
            connected(endpoint.url, context, headers) as caller,
            connect(administrator) as kube,
        ):
            await install(caller, tenant=SPACE)
            made = Installation(kube, caller, endpoint.url, endpoint.ca_file, folder)
            await made.install(SPACE)
            yield made


@dataclass(frozen=True)
class Served:
    """One controller's webhook, and where it is."""

    installation: Installation
    webhook: Webhook
    port: int

    async def ready(self) -> None:
        """Return when it answers, and the API server trusts its answers."""
        async with asyncio.timeout(WAIT_S):
            while not (self.webhook.is_served and await self._is_trusted()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _is_trusted(self) -> bool:
        bundle = await self.installation.bundle()
        return bool(bundle) and bundle == (await self.installation.secret()).get("ca.crt")


def empty_secret() -> Object:
    """Return the Secret as the chart has it."""
    metadata = {"name": WEBHOOK, "namespace": SYSTEM}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}


def configuration() -> Object:
    """Return the webhook's configuration as the chart has it."""
    found: Object = yaml.safe_load((MANIFESTS / "webhook.yaml").read_text())
    return found
