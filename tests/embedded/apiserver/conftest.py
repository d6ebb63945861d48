"""A running API server of its own for each test, and a plain client for it."""

import io
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from sympozium_local.apiserver.server import Endpoint, serve

MERGE = "application/merge-patch+json"


class Watched:
    """The events of one open watch."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event's type and object."""
        line = await self._response.content.readline()
        assert line, "the watch has ended"
        event = msgspec.json.decode(line)
        return event["type"], event["object"]

    async def until(self, type_: str, name: str) -> dict[str, Any]:
        """Return the object of the next such event, skipping others."""
        while True:
            seen, obj = await self.next()
            if (seen, obj["metadata"].get("name")) == (type_, name):
                return obj

    async def rest(self) -> list[bytes]:
        """Return what is left when the server ends the watch."""
        return [line async for line in self._response.content]


class Api:
    """Requests to the server under test, with nothing between test and wire."""

    def __init__(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        self.endpoint = endpoint
        self.session = session
        self._admin = endpoint.token_file.read_text()

    def headers(self, token: str | None) -> dict[str, str]:
        """Return the headers of a request; no token means the administrator's."""
        token = self._admin if token is None else token
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, Any]:
        """Return the status and the decoded answer."""
        headers = self.headers(token) | ({} if body is None else {"Content-Type": content_type})
        if method == "POST" and path.startswith("/apis/example.com/v") and isinstance(body, dict):
            version = "/".join(path.split("/")[2:4])
            body = {"apiVersion": version, "kind": "Widget", **body}  # which tests leave out
        data = None if body is None else io.BytesIO(msgspec.json.encode(body))
        async with self.session.request(
            method, self.endpoint.url + path, data=data, headers=headers
        ) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json"
            return answer.status, msgspec.json.decode(raw) if is_json else raw.decode()

    async def get(self, path: str) -> dict[str, Any]:
        """Return what is there."""
        return await self._done("GET", path, None, {200})

    async def create(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Create an object."""
        return await self._done("POST", path, obj, {201})

    async def replace(self, path: str, obj: dict[str, Any]) -> dict[str, Any]:
        """Replace an object."""
        return await self._done("PUT", path, obj, {200})

    async def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Merge a patch into an object."""
        return await self._done("PATCH", path, patch, {200}, MERGE)

    async def delete(self, path: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Delete an object."""
        return await self._done("DELETE", path, options, {200})

    async def _done(
        self, method: str, path: str, body: Any, expected: set[int], content_type: str = ""
    ) -> dict[str, Any]:
        kind = content_type or "application/json"
        status, answer = await self.call(method, path, body, content_type=kind)
        assert status in expected, (status, answer)
        return answer  # type: ignore[no-any-return] # the test knows what it asked for

    @asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[Watched]:
        """Open a watch."""
        async with self.session.get(
            self.endpoint.url + path, params={"watch": "1", **query}, headers=self.headers(None)
        ) as response:
            assert response.status == 200, await response.text()
            yield Watched(response)


@asynccontextmanager
async def connected(endpoint: Endpoint) -> AsyncIterator[Api]:
    context = ssl.create_default_context(cafile=str(endpoint.ca_file))
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**22) as session:
        yield Api(endpoint, session)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
async def api(data_dir: Path) -> AsyncIterator[Api]:
    async with serve(data_dir) as endpoint, connected(endpoint) as api:
        yield api


@pytest.fixture
def connect() -> Any:
    """Return the way to make a client for a server that the test started itself."""
    return connected


@pytest.fixture
def configmap() -> Any:
    def build(name: str, data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, **metadata}, "data": data or {}}

    return build


def _widget_crd() -> dict[str, Any]:
    spec = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "default": 3},
            "replicas": {"type": "integer"},
            "color": {"type": "string", "enum": ["red", "blue"]},
        },
    }
    status = {
        "type": "object",
        "default": {"phase": "Pending"},
        "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}},
    }
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}, "scale": scale},
        "selectableFields": [{"jsonPath": ".spec.color"}],
        "additionalPrinterColumns": [
            {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        ],
        "schema": {
            "openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
            "versions": [version],
        },
    }


@pytest.fixture
def widget_crd() -> dict[str, Any]:
    return _widget_crd()


@pytest.fixture
async def widgets(api: Api, widget_crd: dict[str, Any]) -> str:
    """Serve widgets; return the path of their collection."""
    await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", widget_crd)
    return "/apis/example.com/v1/namespaces/default/widgets"
