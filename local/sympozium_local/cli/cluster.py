"""Requests to an API server from a command: one after another, no event loop.

The asynchronous client takes longer to import than these commands may run.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import Object
from sympozium_local.cli.access.endpoint import Endpoint
from sympozium_local.cli.refusals import refusal

TIMEOUT_S = 15.0
FIELD_MANAGER = "sympozium-cli"
_CHUNK_BYTES = 16384


class Cluster:
    """An API server."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    def get(self, path: str, **query: str) -> Object:
        """Return what a path answers.

        Raises:
            NotFoundError: It is not there.
            ForbiddenError: The caller may not.
        """
        return self._json("GET", path, query=query)

    def patch(self, path: str, patch: Object) -> Object:
        """Merge *patch* into an object."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._json("PATCH", path, body=json.dumps(patch), headers=headers)

    def create(self, path: str, obj: Object, **query: str) -> Object:
        """Create an object, or ask for what a path answers when it is given one."""
        headers = {"Content-Type": "application/json"}
        return self._json("POST", path, query=query, body=json.dumps(obj), headers=headers)

    def apply(self, path: str, obj: Object) -> Object:
        """Make an object's fields be as *obj* says, whoever set them before; create it if need be.

        Raises:
            InvalidError: A rule of its kind refuses it.
        """
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        return self._json("PATCH", path, query=query, body=json.dumps(obj), headers=headers)

    def delete(self, path: str) -> Object:
        """Delete an object.

        Raises:
            NotFoundError: It is not there.
        """
        return self._json("DELETE", path)

    def stream(self, path: str, **query: str) -> Iterator[bytes]:
        """Yield the bytes that a path answers, as they come.

        Raises:
            NotFoundError: It is not there.
            TransientError: The connection broke before the end.
        """
        with self._answered("GET", path, query=query, timeout_s=None) as response:
            while data := self._read_on(response):
                yield data

    def _read_on(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read1(_CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(
                f"cannot read on from the cluster at {self.endpoint.server}: {_cause(error)}; "
                "ask again"
            ) from error

    def date(self) -> str:
        """Return the server's clock as its `Date` header says it; empty where it says nothing."""
        with self._answered("GET", "/version") as response:
            return response.headers.get("Date", "")

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        with self._answered(method, path, query=query, body=body, headers=headers) as response:
            answer: Object = _answer(response.read())
            return answer

    @contextmanager
    def _answered(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = TIMEOUT_S,
    ) -> Iterator[http.client.HTTPResponse]:
        target = self.endpoint.base_path + path + (f"?{urlencode(query)}" if query else "")
        sent = [("Accept", "application/json"), *(headers or {}).items()]
        for attempt in (1, 2):
            connection = self.endpoint.connection(timeout_s)
            with closing(connection):
                response = self._send(connection, method, target, body, sent)
                if response.status == 401 and attempt == 1 and self.endpoint.identity.renew():
                    continue
                if response.status >= 400:
                    raise refusal(method, path, response.status, _answer(response.read()))
                yield response
                return

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: str | None,
        headers: list[tuple[str, str]],
    ) -> http.client.HTTPResponse:
        data = None if body is None else body.encode()
        try:
            connection.putrequest(method, target)
            for name, value in [*headers, *self.endpoint.identity.headers()]:
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(
                f"cannot reach the cluster at {self.endpoint.server}: {_cause(error)}; "
                "see that it runs and that its address and certificate authority are right"
            ) from error


def _cause(error: Exception) -> str:
    reason = getattr(error, "verify_message", "") or getattr(error, "strerror", "")
    return f"{type(error).__name__} ({reason})" if reason else type(error).__name__


def _answer(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {"message": raw.decode(errors="replace")[:200]}
    return value if isinstance(value, dict) else {}
