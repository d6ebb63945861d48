"""What Discord's answers mean: which of the common code's errors each becomes."""

from collections.abc import Mapping
from typing import Any

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
)
from sympozium.contract.errors import PermanentError, TransientError

# Codes of Discord's JSON errors.
# Source: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json
UNKNOWN_CHANNEL = 10003
UNKNOWN_MESSAGE = 10008
UNKNOWN_EMOJI = 10014
UNKNOWN_WEBHOOK = 10015
UNKNOWN_INTERACTION = 10062
ALREADY_ACKNOWLEDGED = 40060
MISSING_ACCESS = 50001
NOT_OUR_MESSAGE = 50005
DIRECT_MESSAGES_CLOSED = 50007
MISSING_PERMISSIONS = 50013
WRONG_CHANNEL_TYPE = 50024
INVALID_TOKEN = 50027
INVALID_FORM = 50035
THREAD_ARCHIVED = 50083
THREAD_EXISTS = 160004
THREAD_LOCKED = 160005
TOO_MANY_THREADS = 160006
BLOCKED_BY_AUTOMOD = 200000
TITLE_BLOCKED = 200001
HARMFUL_LINK = 240000

CLOSED = {
    UNKNOWN_CHANNEL: "ChannelGone",
    MISSING_ACCESS: "MissingAccess",
    DIRECT_MESSAGES_CLOSED: "DirectMessagesClosed",
    MISSING_PERMISSIONS: "MissingPermissions",
    10004: "ServerGone",
}
"""Codes that close one chat, with the reason for the Channel's condition."""

UNTOLD_PENALTY_S = 60.0
"""How long to wait where an answer does not say it: an edge server shut us out."""


class DiscordRefusedError(PermanentError):
    """Discord refuses one call for good.

    Attributes:
        code: Discord's own code; 0 where it gave none.
    """

    def __init__(self, text: str, *, code: int) -> None:
        super().__init__(text)
        self.code = code


class InteractionGoneError(PermanentError):
    """A command or button can no longer be answered as such: its 15 minutes are over."""


def refusal(what: str, status: int, headers: Mapping[str, str], body: object) -> Exception:
    """Return the error for an answer that is no success.

    Args:
        what: Method and path of the call, without ids and tokens.
        status: The HTTP status.
        headers: Of the answer.
        body: Its JSON, or None where it is none.
    """
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    if status == 429:
        return _busy(what, headers, told)
    if status >= 500:
        return TransientError(f"cannot {what}: Discord answers {status}")
    code = told.get("code")
    is_token_of_interaction = code in {INVALID_TOKEN, UNKNOWN_WEBHOOK}
    if status == 401 and not is_token_of_interaction:
        return AccountRefusedError(
            f"cannot {what}: Discord does not accept the bot's token; make a new one on the "
            "app's Bot page and put it into the Secret",
            reason="TokenRefused",
        )
    return _refused(what, status, code if isinstance(code, int) else 0, told)


def _busy(what: str, headers: Mapping[str, str], told: dict[str, Any]) -> PlatformBusyError:
    wait = told.get("retry_after", headers.get("Retry-After"))
    try:
        retry_after_s = float(wait)  # type: ignore[arg-type] # None is handled with the rest
    except (TypeError, ValueError):
        retry_after_s = UNTOLD_PENALTY_S
    is_shut_out = "retry_after" not in told
    return PlatformBusyError(
        f"cannot {what} now: Discord asks to wait {retry_after_s:.1f} s",
        retry_after_s=max(retry_after_s, 0.0),
        is_overall=is_shut_out
        or bool(told.get("global"))
        or headers.get("X-RateLimit-Scope") == "global",
    )


def _refused(what: str, status: int, code: int, told: dict[str, Any]) -> Exception:
    said = f"cannot {what}: Discord refuses ({status}, code {code})"
    if code in CLOSED:
        return ChatClosedError(f"{said}; {_REMEDIES[code]}", reason=CLOSED[code])
    if code in {UNKNOWN_MESSAGE, NOT_OUR_MESSAGE}:
        return PostGoneError(f"{said}: the message is gone")
    if code in {UNKNOWN_INTERACTION, UNKNOWN_WEBHOOK, INVALID_TOKEN}:
        return InteractionGoneError(f"{said}: the interaction is over")
    is_about_content = code == INVALID_FORM and "content" in _fields(told)
    if is_about_content or code in {BLOCKED_BY_AUTOMOD, TITLE_BLOCKED, HARMFUL_LINK}:
        return MarkupRefusedError(f"{said}: it does not take the text")
    if code == INVALID_FORM:
        return DiscordRefusedError(f"{said} about {', '.join(sorted(_fields(told)))}", code=code)
    return DiscordRefusedError(said, code=code)


_REMEDIES = {
    UNKNOWN_CHANNEL: "the channel or thread was deleted",
    MISSING_ACCESS: "let the bot view the channel",
    DIRECT_MESSAGES_CLOSED: "the person does not take direct messages from it",
    MISSING_PERMISSIONS: "give the bot the permissions that `sympozium doctor` names",
    10004: "the bot is not in that server any more",
}


def _fields(told: dict[str, Any]) -> set[str]:
    """Return the names of the fields that Discord complains of; never their content."""
    errors = told.get("errors")
    return {str(name) for name in errors} if isinstance(errors, dict) else set()
