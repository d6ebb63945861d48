"""Reading from the Kubernetes API as the ServiceAccount of a skill, with the standard library."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import Resource

TIMEOUT_S = 10.0
MAX_BODY_BYTES = 16 * 1024 * 1024
LIST_LIMIT = 500
"""Objects that one list holds at the most."""


class ToolFailedError(PermanentError):
    """A tool cannot do what it was asked to; the text is for the model."""


@dataclass(frozen=True)
class ApiServer:
    """One API server. Every request is a connection of its own: a run makes few.

    Attributes:
        token_file: Read at every request, because a projected token rotates.
    """

    host: str
    port: int
    ca_file: Path
    token_file: Path

    def list_objects(
        self, resource: Resource, namespace: str, **query: str
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return up to `LIST_LIMIT` objects, and whether there are more.

        Raises:
            ToolFailedError: The API server cannot be asked, or refuses.
        """
        what = f"list {resource.plural} in namespace {namespace!r}"
        path = _path(resource, namespace)
        found = json.loads(self._get(path, {"limit": str(LIST_LIMIT), **query}, what))
        return found.get("items") or [], bool(found.get("metadata", {}).get("continue"))

    def get_object(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
        """Return one object.

        Raises:
            ToolFailedError: as `list_objects`, or there is none of this name.
        """
        what = f"get {resource.plural} {name!r} in namespace {namespace!r}"
        found: dict[str, Any] = json.loads(self._get(_path(resource, namespace, name), {}, what))
        return found

    def get_text(
        self, resource: Resource, namespace: str, name: str, subresource: str, **query: str
    ) -> str:
        """Return a subresource that is plain text, such as a pod's log.

        Raises:
            ToolFailedError: as `get_object`.
        """
        what = f"get {resource.plural}/{subresource} of {name!r} in namespace {namespace!r}"
        path = f"{_path(resource, namespace, name)}/{subresource}"
        return self._get(path, query, what).decode(errors="replace")

    def _get(self, path: str, query: Mapping[str, str], what: str) -> bytes:
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file))
            headers = {"Authorization": f"Bearer {self.token_file.read_text().strip()}"}
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=TIMEOUT_S, context=context
            )
            try:
                connection.request("GET", f"{path}?{urlencode(query)}", headers=headers)
                response = connection.getresponse()
                body = response.read(MAX_BODY_BYTES + 1)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise ToolFailedError(
                f"cannot {what}: the API server does not answer ({type(error).__name__})"
            ) from error
        _check(response.status, body, what)
        return body


def _path(resource: Resource, namespace: str, name: str = "") -> str:
    root = f"/apis/{resource.group}" if resource.group else "/api"
    path = f"{root}/{resource.version}/namespaces/{quote(namespace, safe='')}/{resource.plural}"
    return f"{path}/{quote(name, safe='')}" if name else path


def _check(status: int, body: bytes, what: str) -> None:
    if status == 200 and len(body) <= MAX_BODY_BYTES:
        return
    verb, plural = what.split()[:2]
    causes = {
        200: "the answer is too large; ask for less",
        401: "the API server does not know this skill's token",
        403: f"this skill lacks the right {verb!r} on {plural!r} there",
        404: "there is no such object",
    }
    cause = causes.get(status) or f"the API server answered {status}{_its_message(body)}"
    raise ToolFailedError(f"cannot {what}: {cause}")


def _its_message(body: bytes) -> str:
    try:
        return f" ({json.loads(body)['message'][:300]})"
    except (ValueError, KeyError, TypeError):
        return ""
