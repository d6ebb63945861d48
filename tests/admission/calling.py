"""An API server as one of many users, with nothing between test and wire."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
import yaml
from multidict import CIMultiDict

from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import Object, Resource
from sympozium.kube.client import object_path

CONTROLLER = "system:serviceaccount:sympozium-system:sympozium-controller"
ROUTER = "system:serviceaccount:sympozium-system:sympozium-router"
JOB_CONTROLLER = "system:serviceaccount:kube-system:job-controller"
KUBELET = "system:node:somewhere"
PERSON = "someone"
"""Holds every right, as a cluster's administrator does: what stops them is admission."""

ACCOUNTS = ("sympozium-run", "sympozium-run-cluster-reader", "channel-web")
TIMEOUT_S = 10.0
MANIFESTS = Path(__file__).parents[2] / "helm" / "sympozium" / "admission"

_GROUPS = {KUBELET: ("system:nodes",)}


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    code: int
    body: Object

    @property
    def message(self) -> str:
        """The sentence of a refusal; "" of anything else."""
        return str(self.body.get("message", "")) if self.code >= 400 else ""


class Caller:
    """Requests of one user; every user that is impersonated is also an administrator."""

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: CIMultiDict[str]) -> None:
        self._session = session
        self._url = url
        self._headers = headers

    def acting_as(self, user: str) -> "Caller":
        """Return the same server as *user* meets it."""
        headers = CIMultiDict(self._headers)
        headers["Impersonate-User"] = user
        for group in ("system:masters", *_GROUPS.get(user, ())):
            headers.add("Impersonate-Group", group)
        return Caller(self._session, self._url, headers)

    async def call(
        self, method: str, path: str, body: Object | None = None, *, kind: str = "application/json"
    ) -> Answer:
        """Make any request."""
        data = None if body is None else msgspec.json.encode(body)
        headers = self._headers.copy()
        headers["Content-Type"] = kind
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, timeout=timeout
        ) as answer:
            return Answer(answer.status, msgspec.json.decode(await answer.read()))

    async def create(self, resource: Resource, obj: Object, *, dry_run: bool = False) -> Answer:
        """Create *obj* in its namespace."""
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        path = object_path(resource, obj["metadata"].get("namespace"))
        return await self.call("POST", path + ("?dryRun=All" if dry_run else ""), obj)

    async def merge(
        self, resource: Resource, namespace: str | None, name: str, patch: Object
    ) -> Answer:
        """Merge *patch* into an object."""
        kind = "application/merge-patch+json"
        return await self.call("PATCH", object_path(resource, namespace, name), patch, kind=kind)


def token_path(namespace: str, account: str) -> str:
    """Return where tokens of a ServiceAccount are asked for."""
    return f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"


def manifests() -> list[Object]:
    """Return every policy and binding that is installed, in the order of the files."""
    return [
        obj
        for path in sorted(MANIFESTS.glob("*.yaml"))
        for obj in yaml.safe_load_all(path.read_text())
        if obj and obj["kind"].startswith("ValidatingAdmissionPolicy")
    ]


async def install(caller: Caller, *, tenant: str) -> None:
    """Install our kinds and policies, and make *tenant* a tenant's namespace with its accounts."""
    for account in ACCOUNTS:
        path = f"/api/v1/namespaces/{tenant}/serviceaccounts"
        made = await caller.call("POST", path, {"metadata": {"name": account}})
        assert made.code in {201, 409}, made
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for obj in (*definition_objects(), *manifests()):
        group = obj["apiVersion"]
        plural = {
            "CustomResourceDefinition": definitions,
            "ValidatingAdmissionPolicy": f"/apis/{group}/validatingadmissionpolicies",
            "ValidatingAdmissionPolicyBinding": f"/apis/{group}/validatingadmissionpolicybindings",
        }[obj["kind"]]
        name = obj["metadata"]["name"]
        applied = await caller.call(
            "PATCH",
            f"{plural}/{name}?fieldManager=test&force=true",
            obj,
            kind="application/apply-patch+yaml",
        )
        assert applied.code in {200, 201}, applied
    labels = {"metadata": {"labels": {"sympozium.ai/tenant": "true"}}}
    kind = "application/merge-patch+json"
    labelled = await caller.call("PATCH", f"/api/v1/namespaces/{tenant}", labels, kind=kind)
    assert labelled.code == 200, labelled


@asynccontextmanager
async def connected(
    url: str, context: ssl.SSLContext, headers: dict[str, str]
) -> AsyncIterator[Caller]:
    """Yield a caller that is the administrator."""
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Caller(session, url, CIMultiDict(headers))
