"""The one form in which a request is refused: `{"error": {"code", "message", "hint"}}`."""

import msgspec
from aiohttp import web

RETRY_AFTER_S = 2
"""What `Retry-After` says when the bus or the router is away: they come back within seconds."""


class RequestRefusedError(Exception):
    """A request that is answered with an error, and how.

    Attributes:
        code: Stable, for programs.
        message: What is wrong, for a person.
        hint: What that person can do about it.
        retry_after_s: When the same request may succeed; 0: not by itself.
    """

    def __init__(
        self, status: int, code: str, message: str, hint: str, *, retry_after_s: int = 0
    ) -> None:
        super().__init__(f"cannot serve a request: {status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint
        self.retry_after_s = retry_after_s


def as_response(error: RequestRefusedError) -> web.Response:
    """Return the answer that says *error*."""
    headers = {"Retry-After": str(error.retry_after_s)} if error.retry_after_s else {}
    if error.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        status=error.status,
        body=as_json(error),
        content_type="application/json",
        headers=headers,
    )


def as_json(error: RequestRefusedError) -> bytes:
    """Return the body that says *error*."""
    said = {"code": error.code, "message": error.message, "hint": error.hint}
    return msgspec.json.encode({"error": said})


def bad_request(code: str, message: str, hint: str) -> RequestRefusedError:
    """Return the refusal of a request that is wrong in itself."""
    return RequestRefusedError(400, code, message, hint)


def unavailable(code: str, message: str, hint: str) -> RequestRefusedError:
    """Return the refusal of a request that may succeed in a moment."""
    return RequestRefusedError(503, code, message, hint, retry_after_s=RETRY_AFTER_S)
