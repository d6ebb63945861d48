"""What the server answers when it refuses: the Status object of the Kubernetes API.

Reasons and messages are worded as those of the real server, because clients
match on them.
"""

from collections.abc import Sequence
from typing import Any

from sympozium_local.apiserver.resource import ApiResource, Object


class ApiError(Exception):
    """A request that is refused. `status` is what the client is told."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details

    def status(self) -> Object:
        """Return the Status object for the body of the answer."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "code": self.code,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status


def qualified(resource: ApiResource) -> str:
    """Return the resource as messages name it: `pods`, `jobs.batch`."""
    return resource.storage_key


def _details(resource: ApiResource, name: str, **more: Any) -> Object:
    details: Object = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural, **more}


def bad_request(message: str) -> ApiError:
    """The request makes no sense as it stands."""
    return ApiError(400, "BadRequest", message)


def not_found(resource: ApiResource, name: str) -> ApiError:
    """There is no object of that name."""
    message = f'{qualified(resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, name))


class NoSuchPathError(ApiError):
    """Nothing at all is served at the path; told in plain text, as the mux of the real server."""

    text = "404 page not found\n"

    def __init__(self) -> None:
        super().__init__(404, "NotFound", "the server could not find the requested resource", {})


def no_such_path() -> ApiError:
    """The kind is served, and the path is none of it."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, {})


def already_exists(resource: ApiResource, name: str) -> ApiError:
    """An object of that name is there."""
    message = f'{qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: ApiResource, name: str, why: str = "") -> ApiError:
    """The object is not the one that the client read."""
    why = why or (
        "the object has been modified; "
        "please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def forbidden(resource: ApiResource, name: str, why: str, causes: Any = None) -> ApiError:
    """The user, or a rule about the object's state, does not allow it."""
    subject = f'{qualified(resource)} "{name}"' if name else qualified(resource)
    more = {"causes": causes} if causes else {}
    return ApiError(
        403, "Forbidden", f"{subject} is forbidden: {why}", _details(resource, name, **more)
    )


def invalid_options(kind: str, field: str, reason: str, message: str) -> ApiError:
    """The query, or the options in a body, break a rule."""
    resource = ApiResource("meta.k8s.io", "v1", "", "", kind)
    return invalid(resource, "", [(field, reason, message)])


def method_not_allowed() -> ApiError:
    """The resource is there, the verb is not."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def expired(message: str) -> ApiError:
    """The resource version is older than what the server remembers: list again."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(given: str, accepted: Sequence[str]) -> ApiError:
    """The body is in a form that the server does not read."""
    message = (
        f"the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)} (got {given!r})"
    )
    return ApiError(415, "UnsupportedMediaType", message)


def invalid(resource: ApiResource, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiError:
    """The object breaks rules; *causes* are (field, reason, message)."""
    texts = [f"{field}: {message}" if field else message for field, _, message in causes]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details = _details(
        resource,
        name,
        causes=[
            {"reason": reason, "message": message, "field": field}
            for field, reason, message in causes
        ],
    )
    details["kind"] = resource.kind
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {listed}', details)
