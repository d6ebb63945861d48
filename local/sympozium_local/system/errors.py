"""Why the system cannot start or be reached, each in one sentence for a person."""

from sympozium.contract.errors import PermanentError


class StartError(PermanentError):
    """The system cannot start; the text says why and what to do."""


class AlreadyRunningError(StartError):
    """Another instance holds this home.

    Attributes:
        pid: Its supervisor.
        url: Its web chat.
    """

    def __init__(self, text: str, *, pid: int, url: str) -> None:
        super().__init__(text)
        self.pid = pid
        self.url = url


class NotRunningError(PermanentError):
    """There is no system to talk to."""
