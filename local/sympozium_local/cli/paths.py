"""Paths of the API, for requests that are made without the asynchronous client."""

import os
from urllib.parse import quote

from sympozium.contract.resources import Resource

SYSTEM_NAMESPACE_VARIABLE = "SYMPOZIUM_SYSTEM_NAMESPACE"


def system_namespace() -> str:
    """Return where controller, router and bus are: the variable says it, if it is not the usual."""
    return os.environ.get(SYSTEM_NAMESPACE_VARIABLE, "") or "sympozium-system"


def path_of(resource: Resource, namespace: str = "", name: str = "", sub: str = "") -> str:
    """Return the path of an object, of its subresource or (no name) of a collection.

    Without a *namespace* it is that of all namespaces, or of a kind that has none.
    """
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
    tail = "".join(f"/{quote(part, safe='')}" for part in (name, sub) if part)
    return f"{root}{scope}/{resource.plural}{tail}"
