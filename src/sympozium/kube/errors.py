"""What the API server answers when it does not do what it was asked."""

from sympozium.contract.errors import PermanentError, TransientError


class NotFoundError(PermanentError):
    """There is no such object, or no such kind (404)."""


class AlreadyExistsError(PermanentError):
    """An object of that name is there already (409 on create)."""


class ConflictError(TransientError):
    """The object changed since it was read (409). Read it again and decide again."""


class InvalidError(PermanentError):
    """The server's rules refuse the object (400, 422). The text says which field."""


class ForbiddenError(PermanentError):
    """Identity, role, quota or an admission policy refuses the request (401, 403)."""


class GoneError(TransientError):
    """The resource version is too old to watch from (410). List again."""


class UnavailableError(TransientError):
    """No answer, or 429 or 5xx: the server is away or busy.

    Attributes:
        retry_after_s: What the server asked for; 0 where it did not.
    """

    def __init__(self, text: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def from_status(verb: str, path: str, code: int, reason: str, message: str) -> Exception:
    """Return the error that a `Status` answer of the API server stands for."""
    text = f"cannot {verb} {path}: {message or reason or code}"
    if code == 404:
        return NotFoundError(text)
    if code == 409:
        return AlreadyExistsError(text) if reason == "AlreadyExists" else ConflictError(text)
    if code == 410:
        return GoneError(text)
    if code in {401, 403}:
        return ForbiddenError(text)
    if code == 429 or code >= 500:
        return UnavailableError(text)
    return InvalidError(text)
