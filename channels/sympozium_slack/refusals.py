"""What Slack's refusals mean for the common code."""

from collections.abc import Mapping

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.contract.errors import PermanentError, TransientError

DEFAULT_RETRY_AFTER_S = 30.0

_ACCOUNT = {
    "invalid_auth": "TokenRefused",
    "not_authed": "TokenRefused",
    "token_revoked": "TokenRevoked",
    "token_expired": "TokenExpired",
    "account_inactive": "AccountInactive",
    "org_login_required": "AccountInactive",
    "team_access_not_granted": "AccessNotGranted",
    "not_allowed_token_type": "TokenRefused",
    "two_factor_setup_required": "AccountInactive",
    "enterprise_is_restricted": "AccessNotGranted",
}
_CHAT = {
    "channel_not_found": "ChannelNotFound",
    "channel_is_archived": "ChannelArchived",
    "is_archived": "ChannelArchived",
    "not_in_channel": "NotInChannel",
    "user_not_in_channel": "NotInChannel",
    "restricted_action": "Restricted",
    "restricted_action_read_only_channel": "Restricted",
    "restricted_action_non_threadable_channel": "Restricted",
    "restricted_action_thread_only_channel": "Restricted",
    "restricted_action_thread_locked": "Restricted",
    "messages_tab_disabled": "MessagesTabDisabled",
    "cannot_dm_bot": "Restricted",
    "user_not_found": "UserGone",
    "user_disabled": "UserGone",
    "as_user_not_supported": "Restricted",
    "team_not_found": "ChannelNotFound",
    "ekm_access_denied": "Restricted",
    "not_in_team": "NotInChannel",
}
_POST = {
    "message_not_found",
    "cant_update_message",
    "cant_delete_message",
    "edit_window_closed",
    "block_mismatch",
}
_THREAD = {"thread_not_found", "cannot_reply_to_message"}
_MARKUP = {
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_arguments",
    "invalid_array_arg",
    "msg_blocks_too_long",
    "msg_too_long",
    "markdown_text_conflict",
    "no_text",
}
_AGAIN = {
    "internal_error",
    "fatal_error",
    "request_timeout",
    "service_unavailable",
    "team_added_to_org",
    "accesslimited",
    "messaging_processing_failed",
    "external_channel_migrating",
    "update_failed",
    "message_limit_exceeded",
}
_BUSY = {"ratelimited", "rate_limited", "rollup_error", "message_rate_limited"}


class SlackRefusedError(PermanentError):
    """Slack refuses a call for good, for a reason that means nothing special.

    Attributes:
        code: Slack's word for it.
    """

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"cannot call {method}: Slack answers {code!r}")
        self.code = code


class ScopeMissingError(PermanentError):
    """The token may do other things, but not this one."""


class StreamConflictError(PermanentError):
    """The message is being streamed and cannot be edited before the stream is stopped."""


class StreamEndedError(PermanentError):
    """The stream was closed, by us or by Slack after some minutes; the message can be edited."""


def refusal(method: str, status: int, answer: Mapping[str, object], retry_after: str) -> Exception:
    """Return the error that an answer of Slack's is.

    Args:
        method: What was called.
        status: The HTTP status.
        answer: The answer's body; empty where it is not JSON.
        retry_after: The header of that name, or empty.
    """
    code = str(answer.get("error") or "")
    if status == 429 or code in _BUSY:
        return PlatformBusyError(
            f"cannot call {method} now: Slack asks to wait", retry_after_s=_seconds(retry_after)
        )
    if code in _AGAIN or status >= 500 or not code:
        return TransientError(f"cannot call {method} now: Slack answers {status} {code}".rstrip())
    if code == "missing_scope":
        return _missing_scope(method, answer)
    if code in _ACCOUNT:
        return AccountRefusedError(
            f"cannot call {method}: Slack answers {code!r}; put a valid token into the Secret: "
            "see the app's page OAuth & Permissions",
            reason=_ACCOUNT[code],
        )
    if code in _CHAT:
        return ChatClosedError(
            f"cannot call {method}: Slack answers {code!r}; invite the bot to the channel, or see "
            "whether it still exists",
            reason=_CHAT[code],
        )
    return _about_the_message(method, code)


def _about_the_message(method: str, code: str) -> Exception:
    if code in _POST:
        return PostGoneError(f"cannot call {method}: Slack answers {code!r}")
    if code in _THREAD:
        return ThreadGoneError(f"cannot call {method}: Slack answers {code!r}")
    if code in _MARKUP:
        return MarkupRefusedError(f"cannot call {method}: Slack answers {code!r}")
    if code == "streaming_state_conflict":
        return StreamConflictError(f"cannot call {method}: the message is being streamed")
    if code == "message_not_in_streaming_state":
        return StreamEndedError(f"cannot call {method}: the stream has ended")
    return SlackRefusedError(method, code)


def _missing_scope(method: str, answer: Mapping[str, object]) -> Exception:
    needed = str(answer.get("needed") or "another one")
    text = (
        f"cannot call {method}: the token lacks the scope {needed}; add it on the app's page "
        "OAuth & Permissions and install the app again"
    )
    if method == "chat.postMessage" and "chat:write.customize" not in needed:
        return AccountRefusedError(text, reason="ScopeMissing")
    return ScopeMissingError(text)


def _seconds(retry_after: str) -> float:
    try:
        return max(float(retry_after), 1.0)
    except ValueError:
        return DEFAULT_RETRY_AFTER_S
