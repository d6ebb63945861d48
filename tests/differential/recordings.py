"""The recordings: one file a topic, written to be read."""

import json
from pathlib import Path
from typing import Any

from tests.differential.case import Exchange
from tests.differential.play import Transcripts

FOLDER = Path(__file__).parent / "recordings"
WIDTH = 110


def load(topic: str) -> Transcripts:
    """Return what was recorded of a topic; nothing if it never was."""
    path = FOLDER / f"{topic}.json"
    recorded: Transcripts = json.loads(path.read_text()) if path.exists() else {}
    for exchanges in recorded.values():
        for exchange in exchanges:
            if "answer as" in exchange:
                exchange["answer"] = exchanges[exchange.pop("answer as")]["answer"]
    return recorded


def text_of(transcripts: Transcripts) -> str:
    """Return the text of a recording."""
    return _write({name: _shortened(it) for name, it in transcripts.items()}, "") + "\n"


def _shortened(exchanges: list[Exchange]) -> list[Exchange]:
    """Return *exchanges* with a number in place of an answer that an earlier one has."""
    short: list[Exchange] = []
    for exchange in exchanges:
        answer = exchange.get("answer")
        same = [
            n
            for n, one in enumerate(short)
            if isinstance(answer, dict) and one.get("answer") == answer
        ]
        rest = {key: value for key, value in exchange.items() if key != "answer"}
        short.append({**rest, "answer as": same[0]} if same else exchange)
    return short


def _write(value: Any, indent: str) -> str:
    short = json.dumps(value, ensure_ascii=False, sort_keys=False)
    if not isinstance(value, dict | list) or not value or len(indent) + len(short) <= WIDTH:
        return short
    deeper = indent + " "
    if isinstance(value, dict):
        items = [
            f"{json.dumps(key, ensure_ascii=False)}: {_write(value[key], deeper)}" for key in value
        ]
        opening, closing = "{}"
    else:
        items = [_write(item, deeper) for item in value]
        opening, closing = "[]"
    inner = f",\n{deeper}".join(items)
    return f"{opening}\n{deeper}{inner}\n{indent}{closing}"
