"""What people see while they wait: lines, a spinner on a terminal, colours for programs."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.status import Status

SHOWN_AFTER_S = 0.5
"""What takes less shows no spinner."""

ASKING = "asking the cluster"
COLOURS = ("36", "33", "35", "32", "34", "96", "93", "95")
_FIRST_SHOWN = ("time", "level", "program", "logger", "message", "exception")


def say(text: str, *, stream: TextIO | None = None) -> None:
    """Write one line at once; on standard error unless told otherwise."""
    target = stream or sys.stderr
    target.write(text + "\n")
    target.flush()


def styled(text: str, code: str, *, stream: TextIO | None = None) -> str:
    """Return *text* in an ANSI style where the stream is a terminal."""
    return f"\033[{code}m{text}\033[0m" if (stream or sys.stderr).isatty() else text


class Spinner:
    """A line that moves on a terminal while nothing else is shown there; elsewhere nothing.

    It comes after a moment only, so that what is quick neither flickers nor loads it.
    """

    def __init__(self, text: str, *, after_s: float = SHOWN_AFTER_S) -> None:
        self._text = text
        self._after_s = after_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._status: Status | None = None

    def show(self) -> None:
        """Have it come, unless it is there or on its way."""
        with self._lock:
            if self._timer is None and sys.stderr.isatty():
                self._timer = threading.Timer(self._after_s, self._start)
                self._timer.daemon = True
                self._timer.start()

    def hide(self) -> bool:
        """Leave the line to somebody else; return whether it was there or on its way."""
        with self._lock:
            was_wanted = self._timer is not None
            if self._timer is not None:
                self._timer.cancel()
            if self._status is not None:
                self._status.stop()
            self._timer = self._status = None
        return was_wanted

    def _start(self) -> None:
        from rich.console import Console

        with self._lock:
            if self._timer is threading.current_thread():  # else it was hidden meanwhile
                self._status = Console(stderr=True).status(self._text)
                self._status.start()


_showing: list[Spinner] = []
"""The spinner of this process, if it has one: a terminal has room for one line that moves."""


@contextmanager
def waiting(text: str, *, after_s: float = SHOWN_AFTER_S) -> Iterator[Spinner]:
    """Show a spinner with *text* on a terminal while the block runs, and yield it.

    Within a block that shows one already, that one stays.
    """
    if _showing:
        yield _showing[0]
        return
    spinner = Spinner(text, after_s=after_s)
    _showing.append(spinner)
    spinner.show()
    try:
        yield spinner
    finally:
        _showing.remove(spinner)
        spinner.hide()


@contextmanager
def quiet() -> Iterator[None]:
    """Show no spinner while the block runs: somebody else writes on the terminal, or asks."""
    shown = [spinner for spinner in _showing if spinner.hide()]
    try:
        yield
    finally:
        for spinner in shown:
            spinner.show()


class LogScreen:
    """Shows programs' logs: a coloured name before each line, JSON lines in words."""

    def __init__(self) -> None:
        self._rests: dict[str, bytes] = {}
        self._colours: dict[str, str] = {}

    def show(self, program: str, data: bytes) -> None:
        """Show the whole lines among what *program* wrote."""
        *lines, rest = (self._rests.get(program, b"") + data).split(b"\n")
        self._rests[program] = rest
        for line in lines:
            say(f"{self._name(program)} {_in_words(line.decode(errors='replace'))}")

    def _name(self, program: str) -> str:
        colour = self._colours.setdefault(program, COLOURS[len(self._colours) % len(COLOURS)])
        return styled(f"{program:<12}", colour)


def _in_words(line: str) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict) or "message" not in record:
        return line
    facts = [f"{key}={value}" for key, value in record.items() if key not in _FIRST_SHOWN]
    moment = str(record.get("time", ""))[11:23]
    level = str(record.get("level", ""))
    level = "" if level == "INFO" else styled(level, "31" if level == "ERROR" else "33") + " "
    text = f"{styled(moment, '2')} {level}{record['message']} {styled(' '.join(facts), '2')}"
    return text.rstrip() + (f"\n{record['exception']}" if "exception" in record else "")


def age(seconds: float) -> str:
    """Return a duration as kubectl writes it: `45s`, `3m`, `2h`, `5d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def now() -> float:
    """Return the wall clock in seconds."""
    return time.time()
