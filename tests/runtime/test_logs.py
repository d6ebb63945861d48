import json
import logging
import sys

import pytest

from sympozium.runtime import logs
from sympozium.runtime.logs import JsonFormatter, redact


@pytest.fixture(autouse=True)
def no_secrets_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_secrets", set())


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "x"})
    vars(made).update(fields)
    return made


def test_a_line_is_one_json_object_with_its_facts() -> None:
    line = json.loads(JsonFormatter("router").format(record("settled", action="ack", took_ms=4)))
    assert (line["program"], line["message"], line["action"]) == ("router", "settled", "ack")
    assert line["took_ms"] == 4


def test_a_registered_secret_appears_nowhere_in_a_line() -> None:
    redact("s3cret-key")
    made = record("called", url="https://x/s3cret-key/send")
    try:
        raise ValueError("bad s3cret-key")
    except ValueError:
        made.exc_info = sys.exc_info()
    line = JsonFormatter("router").format(made)
    assert "s3cret-key" not in line
    assert line.count("[redacted]") >= 2
