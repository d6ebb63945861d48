"""What a platform may answer, as far as the common code does something different for each."""

from sympozium.contract.errors import PermanentError, TransientError


class PlatformBusyError(TransientError):
    """The platform asks to wait; nothing of the call was done.

    Attributes:
        retry_after_s: How long nothing may be sent.
        is_overall: It means every chat of the bot, not the one of the call.
    """

    def __init__(self, text: str, *, retry_after_s: float, is_overall: bool = False) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s
        self.is_overall = is_overall


class MarkupRefusedError(PermanentError):
    """The platform cannot read the markup; the same words without it may be accepted."""


class PostGoneError(PermanentError):
    """A message of ours was deleted or cannot be changed any more; a new one can be posted."""


class ThreadGoneError(PermanentError):
    """The thread is gone; something can be said once in the chat that it was in."""


class ChatClosedError(PermanentError):
    """The bot may not write in this chat: removed, archived, blocked, or no right to.

    Attributes:
        reason: One CamelCase word for the Channel's condition.
    """

    def __init__(self, text: str, *, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class AccountRefusedError(PermanentError):
    """The platform does not accept the bot at all: a token revoked, a scope missing.

    Attributes:
        reason: One CamelCase word for the Channel's condition.
    """

    def __init__(self, text: str, *, reason: str) -> None:
        super().__init__(text)
        self.reason = reason
