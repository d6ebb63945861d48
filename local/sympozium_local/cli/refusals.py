"""What an API server's refusal means for a person, and what they can do."""

from dataclasses import dataclass

from typing_extensions import override

from sympozium.contract.resources import GROUP, Object
from sympozium.kube.errors import ForbiddenError, NotFoundError, from_status
from sympozium_local.system.errors import NotRunningError

INSTALL = "helm upgrade --install sympozium helm/sympozium -n sympozium-system --create-namespace"
VIEW_ROLE = "sympozium-view"
EDIT_ROLE = "sympozium-edit"
OPERATE_ROLE = "sympozium-operate"

_READ = {"GET": "read", "POST": "create", "PATCH": "change", "PUT": "change", "DELETE": "delete"}


class NotInstalledError(NotRunningError):
    """The cluster answers, and does not know our kinds."""


@dataclass(frozen=True)
class _Asked:
    """What a path of the API speaks of."""

    group: str
    namespace: str
    resource: str
    name: str

    @override
    def __str__(self) -> str:
        """Say it in words."""
        named = f"{self.resource} {self.name!r}" if self.name else self.resource
        return f"{named} in namespace {self.namespace!r}" if self.namespace else named


def refusal(method: str, path: str, code: int, answer: Object) -> Exception:
    """Return the error for a `Status` that is no success; it says what to do where we know.

    A `NotInstalledError`: the cluster has no Sympozium.
    """
    reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    asked = _asked(path)
    if asked is None:
        return from_status(method, path, code, reason, message)
    verb = "list" if method == "GET" and not asked.name else _READ.get(method, method)
    if code == 404 and asked.group == GROUP and _is_unknown_kind(answer):
        return NotInstalledError(
            f"cannot {verb} {asked}: no Sympozium is there; install it: {INSTALL}"
        )
    if code == 401:
        return ForbiddenError(
            f"cannot {verb} {asked}: the server does not accept these credentials; "
            "log in to the cluster again"
        )
    if code == 403 and "is forbidden: User" in message:
        return ForbiddenError(f"cannot {verb} {asked}: {message}; {_role(method, asked)}")
    if code == 404:
        return NotFoundError(f"cannot {verb} {asked}: it is not there")
    error = from_status(method, path, code, reason, message)
    return type(error)(f"cannot {verb} {asked}: {message or reason or code}")


def _is_unknown_kind(answer: Object) -> bool:
    """Return whether it is the kind that is not there, rather than an object of it."""
    return not (answer.get("details") or {}).get("name")


def _role(method: str, asked: _Asked) -> str:
    kind, _, sub = asked.resource.partition("/")
    if kind == "serviceaccounts":
        role = OPERATE_ROLE
    elif method == "GET" and kind != "secrets" and sub != "portforward":
        role = VIEW_ROLE
    else:
        role = EDIT_ROLE
    where = f"in namespace {asked.namespace!r}" if asked.namespace else "in the whole cluster"
    return f"ask for the role {role!r} {where}"


def _asked(path: str) -> _Asked | None:
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, rest = parts[1], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0], rest[1] if len(rest) > 1 else ""
    if len(rest) > 2:
        resource = f"{resource}/{'/'.join(rest[2:])}"
    return _Asked(group, namespace, resource, name)
