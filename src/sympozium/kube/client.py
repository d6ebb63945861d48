"""Requests to one API server, with objects as dicts.

The official client costs 60 MB and a second to import, because it defines a
class for every kind there is; our objects are dicts, so none of them is used.
Its conformance is kept by tests that run both against the same servers.
"""

import asyncio
import copy
import random
import re
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import msgspec

from sympozium.contract.resources import Object, Resource
from sympozium.kube.clock import ServerClock
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import GoneError, NotFoundError, UnavailableError, from_status
from sympozium.kube.measures import REQUEST_TOOK, REQUESTS, Answer, Verb, answer_of

REQUEST_TIMEOUT_S = 15.0
MAX_IN_FLIGHT = 32
"""Requests at once from one program: enough for a burst, polite to a shared API server."""

WATCH_TIMEOUT_S = 290
"""How long at the most the server is asked to keep a watch open; it ends earlier by itself.

Hundreds that began together do not all begin anew together.

Source: kube-apiserver closes watches after 5 to 10 minutes (--min-request-timeout).
"""

WATCH_SILENCE_S = 90.0
"""A watch that brings nothing for so long is given up: its connection may lead nowhere.

A server sends bookmarks once a minute, more or less.
Source: defaultBookmarkFrequency in k8s.io/apiserver/pkg/storage/cacher/cacher.go
"""

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,253}")
"""What names of objects of all kinds are made of.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

_MAX_NAME_SHOWN = 100
TLS_BUFFER_BYTES = 32 * 1024
"""What a TLS connection holds to read into; the library's 256 KiB are too much for 700 watches.

Source: SSLProtocol.max_size in https://github.com/python/cpython/blob/3.11/Lib/asyncio/sslproto.py
"""
SSLProtocol.max_size = TLS_BUFFER_BYTES

_MAX_EVENT_BYTES = 8 * 1024 * 1024
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True)
class ObjectList:
    """What a list request returned, and from where to watch on."""

    items: list[Object]
    resource_version: str
    next_page: str = ""
    """What to ask for with `continue=...` to get the rest; empty at the end."""


@dataclass(frozen=True)
class WatchEvent:
    """One change. *type* is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


class Kube:
    """One program's connections to one API server. Made by `connect`."""

    def __init__(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        self._endpoint = endpoint
        self._session = session
        self._may_write: Callable[[], None] = lambda: None
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._clock = ServerClock()

    def now(self) -> datetime:
        """Return the present moment by the server's clock, aware."""
        return self._clock.now()

    def fenced(self, may_write: Callable[[], None]) -> "Kube":
        """Return a client of the same server that asks *may_write*, which raises, before a write.

        It has its own slots: what it does in a burst does not hold up this one.
        """
        fenced = copy.copy(self)
        fenced._may_write = may_write
        fenced._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        return fenced

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Return one object.

        Raises:
            NotFoundError: It is not there.
        """
        return await self.request("GET", object_path(resource, namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None = None, **selectors: str
    ) -> ObjectList:
        """Return all objects of a kind, of one namespace or (None) of all.

        With `limit="500"` they come in pages; see `ObjectList.next_page`.

        *selectors* are query parameters: `labelSelector="a=b"`, `fieldSelector=...`.
        """
        answer = await self.request("GET", object_path(resource, namespace), query=selectors)
        items = answer.get("items") or []
        for item in items:  # the server leaves these out inside lists
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        metadata = answer["metadata"]
        return ObjectList(items, metadata["resourceVersion"], metadata.get("continue", ""))

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create *obj* in the namespace that its metadata names.

        Raises:
            AlreadyExistsError: An object of that name is there.
            InvalidError: A rule refuses it.
        """
        path = object_path(resource, obj["metadata"].get("namespace"))
        return await self.request("POST", path, body=obj)

    async def replace(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Put *obj* in the place of the one that it was read from.

        Raises:
            ConflictError: Somebody changed it since.
        """
        metadata = obj["metadata"]
        path = object_path(resource, metadata.get("namespace"), metadata["name"], subresource)
        return await self.request("PUT", path, body=obj)

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        subresource: str = "",
    ) -> Object:
        """Merge *patch* (a dict), or apply JSON Patch operations (a list)."""
        content_type = JSON_PATCH if isinstance(patch, list) else MERGE_PATCH
        path = object_path(resource, namespace, name, subresource)
        return await self.request("PATCH", path, body=patch, content_type=content_type)

    async def apply(self, resource: Resource, obj: Object, *, manager: str) -> Object:
        """Create *obj*, or make the fields that it names be so (server-side apply, forced)."""
        metadata = obj["metadata"]
        path = object_path(resource, metadata.get("namespace"), metadata["name"])
        query = {"fieldManager": manager, "force": "true"}
        return await self.request("PATCH", path, body=obj, content_type=APPLY_PATCH, query=query)

    async def delete(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace_s: int | None = None,
    ) -> None:
        """Delete an object, its dependents in the background.

        Raises:
            NotFoundError: It is gone already.
            ConflictError: *uid* is given and another object has the name by now.
        """
        options: Object = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        await self.request("DELETE", object_path(resource, namespace, name), body=options)

    async def delete_all(self, resource: Resource, namespace: str, **selectors: str) -> None:
        """Delete the objects of a kind in *namespace*, their dependents in the background."""
        options: Object = {"propagationPolicy": "Background"}
        path = object_path(resource, namespace)
        await self.request("DELETE", path, body=options, query=selectors)

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """Make any request and return the object that the server answers with.

        Raises:
            UnavailableError: No answer within 15 s, or 429 or 5xx.
            PermanentError: The subclass says which; see `sympozium.kube.errors`.
        """
        headers = {"Accept": "application/json", **self._endpoint.headers()}
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = _encode(body)
        url, verb = self._endpoint.url + path, Verb(method)
        try:
            async with self._slots, asyncio.timeout(REQUEST_TIMEOUT_S):
                if method != "GET":
                    self._may_write()
                with REQUEST_TOOK.timed(verb):
                    response = await self._session.request(
                        method, url, data=data, headers=headers, params=query
                    )
                async with response:
                    raw = await response.read()
                    retry_after = response.headers.get("Retry-After", "")
                    status = response.status
                    self._clock.hear(response.headers.get("Date", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            REQUESTS.add(verb, Answer.FAILED)
            raise UnavailableError(f"cannot {method} {path}: {type(error).__name__}") from error
        REQUESTS.add(verb, answer_of(status))
        if status >= 400:
            raise _status_error(method, path, status, raw, retry_after)
        answer: Object = _decode(raw)
        return answer

    async def watch(
        self,
        resource: Resource,
        namespace: str | None,
        *,
        since: str,
        **selectors: str,
    ) -> AsyncIterator[WatchEvent]:
        """Yield every change after resource version *since*, until the server ends the watch.

        Bookmarks are among them. The end of the iteration is normal: watch again
        from the last resource version seen.

        Raises:
            GoneError: *since* is too old.
            UnavailableError: The connection broke, or was silent for 90 s.
        """
        query = {
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(WATCH_TIMEOUT_S * 3 // 4, WATCH_TIMEOUT_S)),  # noqa: S311 - spread
            **selectors,
        }
        path = object_path(resource, namespace)
        timeout = aiohttp.ClientTimeout(
            total=WATCH_TIMEOUT_S + 30, sock_connect=5, sock_read=WATCH_SILENCE_S
        )
        try:
            async with self._session.get(
                self._endpoint.url + path,
                params=query,
                headers=self._endpoint.headers(),
                timeout=timeout,
            ) as response:
                if response.status >= 400:
                    raw = await response.read()
                    raise _status_error("WATCH", path, response.status, raw, "")
                async for line in response.content:
                    yield _watch_event(path, line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"cannot watch {path}: {type(error).__name__}") from error


@asynccontextmanager
async def connect(endpoint: Endpoint) -> AsyncIterator[Kube]:
    """Yield a client for *endpoint*; its connections are closed at the end."""
    connector = aiohttp.TCPConnector(ssl=endpoint.ssl_context(), limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=_MAX_EVENT_BYTES) as session:
        yield Kube(endpoint, session)


def object_path(
    resource: Resource, namespace: str | None, name: str = "", subresource: str = ""
) -> str:
    """Return the path of an object, of its subresource or (no name) of a collection.

    Names come out of objects that tenants write. One that is no name would lead elsewhere,
    as `../../namespaces/x/agents/y` does.

    Raises:
        NotFoundError: No object can be named so.
    """
    for given in filter(None, (namespace, name)):
        if _NAME.fullmatch(given) is None or given in {".", ".."}:
            text = f"cannot find a {resource.kind} {given[:_MAX_NAME_SHOWN]!r}: that is no name"
            raise NotFoundError(text)
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{namespace}" if resource.namespaced and namespace else ""
    tail = "".join(f"/{part}" for part in (name, subresource) if part)
    return f"{root}{scope}/{resource.plural}{tail}"


def _watch_event(path: str, line: bytes) -> WatchEvent:
    event = _decode(line)
    if event["type"] == "ERROR":
        status = event["object"]
        if status.get("code") == 410:
            raise GoneError(f"cannot watch {path}: {status.get('message', 'too old')}")
        raise UnavailableError(f"cannot watch {path}: {status.get('message', 'unknown')}")
    return WatchEvent(event["type"], event["object"])


def _status_error(verb: str, path: str, code: int, raw: bytes, retry_after: str) -> Exception:
    try:
        answer = _decode(raw)
    except msgspec.DecodeError:
        answer = {}
    reason, message = answer.get("reason", ""), answer.get("message", "")
    error = from_status(verb, path, code, reason, message)
    if isinstance(error, UnavailableError) and retry_after.isdigit():
        error.retry_after_s = float(retry_after)
    return error
