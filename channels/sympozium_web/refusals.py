"""Every way to refuse a request, in one form: `{"error": {"code", "message", "hint"}}`."""

from dataclasses import dataclass, replace

import msgspec
from aiohttp import web

RETRY_AFTER_S = 2
"""What `Retry-After` says when the bus or the router is away: they come back within seconds."""

_NAME_HINT = "Use 1 to 64 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit."


@dataclass(frozen=True)
class Refusal:
    """One answer to a request that is not served.

    Attributes:
        code: Stable, for programs.
        message: What is wrong, for a person.
        hint: What that person can do about it.
    """

    status: int
    code: str
    message: str
    hint: str

    @property
    def retry_after_s(self) -> int:
        """When the same request may succeed; 0: not by itself."""
        return RETRY_AFTER_S if self.status == web.HTTPServiceUnavailable.status_code else 0

    def saying(self, *, message: str = "", hint: str = "") -> "Refusal":
        """Return this refusal with a message or a hint that is closer to the case."""
        return replace(self, message=message or self.message, hint=hint or self.hint)


class RequestRefusedError(Exception):
    """A request that is answered with a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"cannot serve a request: {refusal.status} {refusal.code}")
        self.refusal = refusal

    @property
    def status(self) -> int:
        """The status of the answer."""
        return self.refusal.status


def as_response(refusal: Refusal) -> web.Response:
    """Return the answer that says *refusal*."""
    headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s else {}
    if refusal.status == web.HTTPUnauthorized.status_code:
        headers["WWW-Authenticate"] = "Bearer"
    said = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
    return web.Response(
        status=refusal.status,
        body=msgspec.json.encode({"error": said}),
        content_type="application/json",
        headers=headers,
    )


BAD_REQUEST = Refusal(
    400,
    "bad_request",
    "The request could not be read, or is beyond the limits of this server.",
    "Send HTTP/1.1 as it is specified, with at most 64 headers of 8 KiB each.",
)
BAD_JSON = Refusal(400, "bad_json", "The message could not be read.", 'Send {"text": "..."}.')
UNKNOWN_FIELD = Refusal(
    400,
    "unknown_field",
    "The message has a field that is not known here.",
    "The fields are 'text' and, optionally, 'id'.",
)
NO_TEXT = Refusal(400, "no_text", "The message has no text.", "Set 'text' to a string.")
EMPTY_TEXT = Refusal(400, "empty_text", "The message is empty.", "Write something first.")
BAD_TEXT = Refusal(
    400, "bad_text", "The message holds a NUL character.", "Send text, not binary data."
)
BAD_ID = Refusal(400, "bad_id", "This is not an id for a message.", _NAME_HINT)
BAD_CONVERSATION = Refusal(
    400, "bad_conversation", "This is not the name of a conversation.", _NAME_HINT
)
BAD_LAST_EVENT_ID = Refusal(
    400,
    "bad_last_event_id",
    "This is not an id that an event of this chat had.",
    "Leave Last-Event-ID out, and read the transcript.",
)
TOKEN_REQUIRED = Refusal(
    401,
    "token_required",
    "This chat asks for an access token.",
    "Send it as 'Authorization: Bearer <token>'; whoever set up the channel has it.",
)
HOST_NOT_ALLOWED = Refusal(
    403,
    "host_not_allowed",
    "This address is not one under which the chat may be reached.",
    "Open it by http://127.0.0.1 or localhost with its port, or name the host in "
    "SYMPOZIUM_WEB_ALLOWED_HOSTS.",
)
ORIGIN_NOT_ALLOWED = Refusal(
    403,
    "origin_not_allowed",
    "Another website tried to use this chat.",
    "Use the chat's own page, or a program that is not a browser.",
)
NOT_FOUND = Refusal(404, "not_found", "There is nothing under this path.", "The page is at '/'.")
METHOD_NOT_ALLOWED = Refusal(
    405, "method_not_allowed", "This path does not know that method.", "Look at 'Allow'."
)
TOO_SLOW = Refusal(408, "too_slow", "The message did not arrive in time.", "Send it again.")
TEXT_TOO_LONG = Refusal(
    413, "text_too_long", "The message is too long.", "Shorten it, or send it in parts."
)
NOT_JSON = Refusal(
    415,
    "not_json",
    "The message must be sent as JSON.",
    "Set 'Content-Type: application/json' and no Content-Encoding.",
)
EXPECTATION_FAILED = Refusal(
    417,
    "expectation_failed",
    "The request expects what this server does not do.",
    "Leave the header Expect out, or send 'Expect: 100-continue'.",
)
INTERNAL = Refusal(
    500,
    "internal",
    "Something went wrong here, and it is in the log of the web channel.",
    "Try again; a message with the same id is answered once.",
)
BUS_UNAVAILABLE = Refusal(
    503,
    "bus_unavailable",
    "The message could not be stored: the message bus is away.",
    "Send it again in a moment. Under the same id it is answered once, however often it comes.",
)
INBOX_FULL = Refusal(
    503,
    "inbox_full",
    "The message was not stored: too many wait to be answered.",
    "Send it again later, with the same id.",
)
CHANNEL_NOT_ADMITTED = Refusal(
    503,
    "channel_not_admitted",
    "The message was not stored: this channel may not hand in messages.",
    "Whoever runs the system finds the reason in the log of the controller.",
)
HISTORY_UNAVAILABLE = Refusal(
    503,
    "history_unavailable",
    "The conversation cannot be read now.",
    "Try again in a moment; messages can be sent meanwhile.",
)
TOO_MANY_STREAMS = Refusal(
    503,
    "too_many_streams",
    "Too many pages of this chat are open.",
    "Close some, then reload this one.",
)
NOT_READY = Refusal(
    503,
    "not_ready",
    "Messages cannot be taken in now.",
    "It goes on by itself; `sympozium doctor` says what is missing.",
)

REFUSALS = tuple(one for one in globals().values() if isinstance(one, Refusal))
"""All of them; `channels/README.md` lists them for whoever writes a client."""
