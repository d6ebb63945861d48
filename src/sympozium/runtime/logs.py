"""Log lines as JSON objects on standard error: a constant message, facts as fields.

Secrets do not belong in fields. Known ones (tokens, keys that a program reads)
are registered with `redact` and replaced wherever they would appear, exception
texts and tracebacks included.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_secrets: set[str] = set()

MIN_SECRET_CHARS = 6
"""Shorter strings would redact ordinary words."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, program, message and the record's extra fields."""

    def __init__(self, program: str) -> None:
        super().__init__()
        self._program = program

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as a line of JSON without any registered secret."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "program": self._program,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redacted(json.dumps(line, default=str, ensure_ascii=False))


def redact(*secrets: str) -> None:
    """Have every one of *secrets* replaced in all later log lines."""
    _secrets.update(secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS)


def redacted(text: str) -> str:
    """Return *text* with every registered secret replaced by `[redacted]`."""
    for secret in _secrets:
        text = text.replace(secret, "[redacted]")
    return text


def log_to_stderr(program: str, *, level: str = "INFO") -> None:
    """Send all of the process' logs to standard error, one JSON object a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(program))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in (
        "aiohttp.access",
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "openai",
        "nats.aio.client",
    ):
        logging.getLogger(noisy).setLevel("WARNING")
