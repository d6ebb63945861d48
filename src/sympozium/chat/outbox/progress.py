"""What is shown of a run at work: which tool, for how long, and the answer so far."""

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.markup import Dialect, Piece, escape, preview
from sympozium.chat.outbox import wording
from sympozium.chat.outbox.draft import Draft
from sympozium.chat.platform import Growing
from sympozium.contract.messages import Choice, Command
from sympozium.contract.names import RunName
from sympozium.contract.run_events import Delta, LiveLine, Progress, Waiting

CLOCK_AFTER_S = 10.0
"""Work that takes longer has a clock."""

PREVIEWED_MESSAGES = 2
"""Of an answer longer than so many messages only the newest part is looked at."""


class Sight:
    """What is known of a run, and how it looks."""

    def __init__(self, run: RunName, started_at: float) -> None:
        self._run = run
        self._started_at = started_at
        self._tool, self._tool_started_at = "", started_at
        self._draft = Draft()
        self._waiting = ""

    def apply(self, line: LiveLine, now: float) -> bool:
        """Take in what was said of the run; return whether it changes what is seen."""
        waited, self._waiting = self._waiting, ""
        if isinstance(line, Waiting):
            self._waiting = wording.waiting(line.before, for_capacity=line.for_capacity)
            return self._waiting != waited
        if waited:
            self._started_at = self._tool_started_at = now
        if isinstance(line, Progress):
            self._tool = line.tool if line.state == "started" else ""
            self._tool_started_at = now
        elif isinstance(line, Delta):
            self._draft.apply(line)
        else:
            return bool(waited)
        return True

    @property
    def is_waiting(self) -> bool:
        """Whether nobody works on it yet."""
        return bool(self._waiting)

    @property
    def text(self) -> str:
        """The answer as far as it was heard."""
        return self._draft.text

    def status(self, now: float) -> str:
        """Return what is being done, in a few words of plain text; empty: the answer grows."""
        if self._waiting:
            return self._waiting
        took_s = now - (self._tool_started_at if self._tool else self._started_at)
        if not self._tool and self._draft.text.strip():
            return ""
        doing = self._tool or wording.WORKING
        return doing if took_s < CLOCK_AFTER_S else f"{doing}, {wording.elapsed(took_s)}"

    def look(self, now: float, capabilities: Capabilities) -> Growing:
        """Return how it looks now."""
        text, status = self._draft.text, self.status(now)
        newest = text[-PREVIEWED_MESSAGES * capabilities.limit.size :]
        if self._draft.offset and newest:
            newest = f"{wording.PLACEHOLDER} {newest}"
        return Growing(
            markdown=text,
            piece=_piece(newest, status, capabilities),
            status=status,
            choices=stop_choices(self._run, capabilities),
        )


def placeholder(capabilities: Capabilities, saying: str = wording.PLACEHOLDER) -> Piece:
    """Return what stands where the answer will be."""
    return _piece("", saying, capabilities)


def stop_choices(run: RunName, capabilities: Capabilities) -> tuple[Choice, ...]:
    """Return the button that ends a run, where the platform has buttons."""
    if not (run and capabilities.has_choices):
        return ()
    return (Choice(label=wording.STOP, command=Command(name="stop", arguments=run)),)


def _piece(text: str, status: str, capabilities: Capabilities) -> Piece:
    if not text.strip():
        return Piece(text=escape(status, capabilities.dialect), plain=status)
    written = f"{text}\n\n{_in_italics(status)}" if status else text
    return preview(written, capabilities.dialect, capabilities.limit)


def _in_italics(status: str) -> str:
    return f"*{escape(status, Dialect.MARKDOWN)}*"
