"""What a channel itself says: while there is no answer yet, and of what it cannot send.

Whatever tells of something that is missing ends with a reference to quote, as the
router's sentences do.
"""

from sympozium.contract.messages import OutboundMessage
from sympozium.contract.names import reference_of

PLACEHOLDER = "\u2026"
"""Shown at once; the answer replaces it."""

WORKING = "working"
QUEUED = "queued"
"""Stands where the answer will be, while nobody can begin with it."""

ANSWER_IN_FILES = "The answer is in what follows."
WHOLE_ANSWER_FOLLOWS = "\u2026 The whole answer is in the file that follows."
WHOLE_ANSWER_FILE = "answer.md"
STOP = "Stop"
SEND_AGAIN = "Send again"


def file_too_long(name: str, size_bytes: int, max_bytes: int) -> str:
    """Say that a file is longer than the platform takes."""
    if not max_bytes:
        return f"File {name} cannot be sent here."
    return f"File {name} cannot be sent: it has {_size(size_bytes)}, {_size(max_bytes)} are taken."


def file_not_sent(name: str, reference: str) -> str:
    """Say that a file could not be sent."""
    return f"File {name} could not be sent. ({reference})"


def empty_answer(reference: str) -> str:
    """Say that there is an answer without any words."""
    return f"The answer is empty. ({reference})"


def error_without_words(reference: str) -> str:
    """Say that there is no answer, where its reason has no sentence."""
    return f"There is no answer, and nothing was said about why. ({reference})"


def waiting(before: int | None, *, for_capacity: bool) -> str:
    """Say that nobody works on a message yet, and how many come first where that is known."""
    what = "waiting for capacity" if for_capacity else "waiting"
    return f"{what}: {before} before you" if before else what


def elapsed(seconds: float) -> str:
    """Return how long something has taken: in tens of seconds, later in minutes."""
    if seconds < 60:
        return f"{int(seconds // 10) * 10} s"
    return f"{int(seconds // 60)} min"


def not_shown(reference: str) -> str:
    """Say that there is an answer which the platform refuses."""
    return (
        "There is an answer, but it cannot be shown here. When the cause is mended, it can be sent "
        f"again. ({reference})"
    )


def reference(message: OutboundMessage) -> str:
    """Return what a person quotes of *message*; what is shown again is still the first one."""
    return reference_of(message.run_name, message.again_for or message.message_id)


def _size(size_bytes: int) -> str:
    if size_bytes < 1024 * 1024:
        return f"{-(-size_bytes // 1024)} KiB"
    return f"{size_bytes / (1024 * 1024):.1f} MiB"
