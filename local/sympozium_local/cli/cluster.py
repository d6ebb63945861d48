"""Requests to the embedded cluster's API from a command: one after another, no event loop.

The asynchronous client takes longer to import than these commands may run.
"""

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import Object
from sympozium.kube.errors import from_status

TIMEOUT_S = 15.0
FIELD_MANAGER = "sympozium-cli"
_CHUNK_BYTES = 16384


class Cluster:
    """The API server of a kubeconfig."""

    def __init__(self, url: str, ca_file: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 443
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._token = token

    def get(self, path: str, **query: str) -> Object:
        """Return what a path answers.

        Raises:
            NotFoundError: It is not there.
        """
        return self._json("GET", path, query=query)

    def patch(self, path: str, patch: Object) -> Object:
        """Merge *patch* into an object."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._json("PATCH", path, body=json.dumps(patch), headers=headers)

    def create(self, path: str, obj: Object) -> Object:
        """Create an object, or ask for what a path answers when it is given one."""
        headers = {"Content-Type": "application/json"}
        return self._json("POST", path, body=json.dumps(obj), headers=headers)

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
        """
        response = self._open("GET", path, query=query, timeout_s=None)
        while data := response.read1(_CHUNK_BYTES):
            yield data

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        response = self._open(method, path, query=query, body=body, headers=headers)
        answer: Object = json.loads(response.read())
        return answer

    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = TIMEOUT_S,
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=timeout_s, context=self._tls
        )
        target = f"{path}?{urlencode(query)}" if query else path
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            connection.request(method, target, body, sent | dict(headers or {}))
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(
                f"cannot reach the cluster at {self._host}:{self._port}: "
                f"{type(error).__name__}; see `sympozium status`"
            ) from error
        if response.status >= 400:
            answer = _answer(response.read())
            reason, message = answer.get("reason", ""), answer.get("message", "")
            raise from_status(method, path, response.status, reason, message)
        return response


def _answer(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {"message": raw.decode(errors="replace")[:200]}
    return value if isinstance(value, dict) else {}


def connect(kubeconfig: Path) -> Cluster:
    """Return the cluster that a kubeconfig of ours leads to."""
    import yaml

    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    return Cluster(cluster["server"], cluster["certificate-authority"], user["token"])
