"""What Telegram's refusals mean for the common code: wait, write anew, leave the chat, or end."""

from dataclasses import dataclass

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
    ThreadGoneError,
)
from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium_telegram.library import TelegramError

DEFAULT_WAIT_S = 5.0
"""How long nothing is sent after a 429 that does not say for how long."""


class RefusedError(TelegramError):
    """The Bot API answered "not ok". Never leaves this package: see `translated`."""

    def __init__(self, code: int, description: str, parameters: "Parameters") -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.parameters = parameters


@dataclass(frozen=True)
class Parameters:
    """What a refusal may say beside its sentence. Source: #responseparameters of the Bot API."""

    retry_after_s: float = 0.0
    migrate_to: int = 0


class UnreachableError(TelegramError):
    """No answer: the connection or the time was lost. Never leaves this package."""


class TooLongError(UnreachableError):
    """The answer is longer than is read. Never leaves this package."""

    def __init__(self, beginning: bytes) -> None:
        super().__init__("the answer is too long")
        self.beginning = beginning


class AnswerTooLongError(TransientError):
    """The answer is longer than is read; asked for less, it may be shorter.

    Attributes:
        beginning: What was read of it.
    """

    def __init__(self, text: str, *, beginning: bytes) -> None:
        super().__init__(text)
        self.beginning = beginning


class NotModifiedError(PermanentError):
    """The message says that already, which is what was wanted."""


class ChatMovedError(PermanentError):
    """The group became a supergroup, which has another id."""

    def __init__(self, text: str, *, chat: int) -> None:
        super().__init__(text)
        self.chat = chat


class UnknownMethodError(PermanentError):
    """This server of the Bot API is older than the method."""


class ConflictError(TransientError):
    """Another program reads the bot's updates, or a webhook is set."""


_MARKUP = (
    "can't parse entities",
    "can't find end of the entity",
    "unsupported start tag",
    "entity_bounds_invalid",
    "entity_text_invalid",
)
_POST_GONE = (
    "message to edit not found",
    "message can't be edited",
    "message to delete not found",
    "message can't be deleted",
    "message_id_invalid",
    "message to react not found",
    "there is no text in the message to edit",
)
_THREAD_GONE = ("message thread not found", "topic_deleted", "topic_id_invalid", "topic deleted")
_CHAT_CLOSED = {
    "chat not found": "ChatNotFound",
    "peer_id_invalid": "ChatNotFound",
    "group chat was deactivated": "ChatDeactivated",
    "channel_private": "BotRemoved",
    "bot is not a member": "BotRemoved",
    "topic_closed": "TopicClosed",
    "not enough rights to send": "NoRightToWrite",
    "have no rights to send": "NoRightToWrite",
    "need administrator rights": "NoRightToWrite",
    "chat_write_forbidden": "NoRightToWrite",
    "chat_restricted": "NoRightToWrite",
    "user_is_blocked": "BotBlocked",
}
_FORBIDDEN = {
    "blocked by the user": "BotBlocked",
    "user is deactivated": "UserDeactivated",
    "kicked": "BotRemoved",
    "not a member": "BotRemoved",
    "can't initiate conversation": "NeverStarted",
}


def translated(error: TelegramError, method: str) -> SympoziumError:
    """Return what *error*, raised by a call of *method*, is to the rest of the system."""
    if isinstance(error, RefusedError):
        return _of_refusal(error, method)
    text = f"cannot call {method}: {error.message}; it is tried again"
    if isinstance(error, TooLongError):
        return AnswerTooLongError(text, beginning=error.beginning)
    return TransientError(text)


def _of_refusal(error: RefusedError, method: str) -> SympoziumError:
    text = f"cannot call {method}: Telegram answers {error.code} {error.description!r}"
    if error.code == 429:
        wait_s = error.parameters.retry_after_s or DEFAULT_WAIT_S
        return PlatformBusyError(text, retry_after_s=wait_s)
    if error.parameters.migrate_to:
        return ChatMovedError(text, chat=error.parameters.migrate_to)
    if error.code >= 500:
        return TransientError(f"{text}; it is tried again")
    if error.code == 401 or (error.code == 404 and method == "getMe"):
        return AccountRefusedError(
            f"{text}; the token is not valid: get one from BotFather and put it into the Secret",
            reason="TokenRefused",
        )
    if error.code == 404:
        return UnknownMethodError(f"{text}; this server does not know the method")
    if error.code == 409:
        return ConflictError(f"{text}; another program uses this bot's token")
    if error.code == 403:
        return _closed(text, error.description, _FORBIDDEN, "Forbidden")
    return _of_bad_request(error.description.lower(), text)


def _of_bad_request(description: str, text: str) -> SympoziumError:
    if "message is not modified" in description:
        return NotModifiedError(text)
    if any(phrase in description for phrase in _MARKUP):
        return MarkupRefusedError(text)
    if any(phrase in description for phrase in _THREAD_GONE):
        return ThreadGoneError(text)
    if any(phrase in description for phrase in _POST_GONE):
        return PostGoneError(text)
    if any(phrase in description for phrase in _CHAT_CLOSED):
        return _closed(text, description, _CHAT_CLOSED, "ChatClosed")
    return PermanentError(text)


def _closed(text: str, description: str, reasons: dict[str, str], other: str) -> ChatClosedError:
    lowered = description.lower()
    reason = next((word for phrase, word in reasons.items() if phrase in lowered), other)
    return ChatClosedError(f"{text}; let the bot back into the chat", reason=reason)
