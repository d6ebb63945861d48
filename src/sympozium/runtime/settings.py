"""Settings from environment variables, and every problem with them at once."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sympozium.contract.errors import PermanentError

T = TypeVar("T")

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(PermanentError):
    """One or more settings are missing or wrong; the text has a line for each."""


class Reader:
    """Reads variables and collects what is wrong, so that one start tells everything.

    Use it once: read all settings, then call `finish` before using any of them.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """Return a variable's text; without *default* it must be set and not empty."""
        value = self._environ.get(name, "")
        if value:
            return value
        if default is None:
            self._problems.append(f"{name} is not set; it is required")
            return ""
        return default

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number from *low* to *high*."""
        return self.parsed(
            name, default, lambda text: _bounded(int(text), low, high), f"{low} to {high}"
        )

    def seconds(self, name: str, default: float, *, low: float, high: float) -> float:
        """Return a number of seconds from *low* to *high*."""
        return self.parsed(
            name,
            default,
            lambda text: _bounded(float(text), low, high),
            f"a number of seconds from {low} to {high}",
        )

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """Return one of *choices*."""
        value = self.text(name, default)
        if value not in choices:
            self._problems.append(f"{name} is {value!r}; accepted: {', '.join(choices)}")
        return value

    def path(self, name: str, default: Path | None = None) -> Path:
        """Return a path; without *default* it must be set."""
        return Path(self.text(name, None if default is None else str(default)))

    def finish(self) -> None:
        """Raise if anything was wrong.

        Raises:
            SettingsError: With one line for each problem.
        """
        if self._problems:
            raise SettingsError("cannot start: " + "; ".join(self._problems))

    def parsed(self, name: str, default: T, parse: Callable[[str], T], accepted: str) -> T:
        """Return what *parse* makes of a variable; it raises `ValueError` for what is wrong."""
        text = self._environ.get(name, "")
        if not text:
            return default
        try:
            return parse(text)
        except ValueError:
            self._problems.append(f"{name} is {text!r}; accepted: {accepted}")
            return default


def _bounded(value: T, low: T, high: T) -> T:
    if not low <= value <= high:  # type: ignore[operator] # callers pass numbers
        raise ValueError(value)
    return value
