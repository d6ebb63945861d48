"""What Slack refuses of what a bot wants to show."""

import json
from typing import Any

from tests.platforms.slack.workspace import SlackError, Wire

MAX_BLOCKS = 50
MAX_TEXT_CHARS = 40_000
MAX_SECTION_CHARS = 3000
MAX_MARKDOWN_CHARS = 12_000


def check_text(arguments: Wire) -> None:
    """Refuse what cannot be read, or is too long."""
    text, blocks = str(arguments.get("text") or ""), arguments.get("blocks") or []
    if not text and not blocks and not arguments.get("attachments"):
        raise SlackError("no_text")
    if len(text) > MAX_TEXT_CHARS:
        raise SlackError("msg_too_long")
    check_blocks(blocks)
    check_metadata(arguments.get("metadata"))


def check_blocks(blocks: Any) -> None:
    """Refuse blocks that are none, or hold too much."""
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
        raise SlackError("invalid_blocks")
    seen: set[str] = set()
    for block in blocks:
        kind = block.get("type")
        if kind == "section":
            _check_text_object(block.get("text"), MAX_SECTION_CHARS)
        elif kind == "actions":
            _check_actions(block.get("elements"))
        elif kind not in {"context", "divider", "markdown", "header"}:
            raise SlackError("invalid_blocks")
        id_ = block.get("block_id")
        if id_ is not None and (id_ in seen or len(id_) > 255):
            raise SlackError("invalid_blocks")
        seen.add(id_)


def check_metadata(metadata: Any) -> None:
    """Refuse metadata of another form."""
    if metadata is None:
        return
    if not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict) or len(json.dumps(metadata)) > 8000:
        raise SlackError("invalid_metadata_schema")


def check_chunks(chunks: Any) -> None:
    """Refuse pieces of a stream that are none."""
    if not isinstance(chunks, list):
        raise SlackError("invalid_chunks")
    for chunk in chunks:
        kind = chunk.get("type")
        if kind == "markdown_text":
            if not chunk.get("text") or len(chunk["text"]) > MAX_MARKDOWN_CHARS:
                raise SlackError("invalid_chunks")
        elif kind == "task_update":
            if not (chunk.get("id") and chunk.get("title")):
                raise SlackError("invalid_chunks")
            if chunk.get("status") not in {"pending", "in_progress", "complete", "error"}:
                raise SlackError("invalid_chunks")
        elif kind == "blocks":
            check_blocks(chunk.get("blocks"))
        else:
            raise SlackError("invalid_chunks")


def has_markup(arguments: Wire) -> bool:
    """Return whether something in a message is written in Slack's markup."""
    texts = [block.get("text") or {} for block in arguments.get("blocks") or []]
    return any(isinstance(text, dict) and text.get("type") == "mrkdwn" for text in texts)


def _check_text_object(text: Any, longest: int) -> None:
    if not isinstance(text, dict) or text.get("type") not in {"mrkdwn", "plain_text"}:
        raise SlackError("invalid_blocks")
    if not 1 <= len(str(text.get("text") or "")) <= longest:
        raise SlackError("invalid_blocks")


def _check_actions(elements: Any) -> None:
    if not isinstance(elements, list) or not 1 <= len(elements) <= 25:
        raise SlackError("invalid_blocks")
    actions = [element.get("action_id") for element in elements]
    if len(set(actions)) != len(actions):
        raise SlackError("invalid_blocks")
    for element in elements:
        if element.get("type") == "button":
            _check_text_object(element.get("text"), 75)
            if len(element.get("value") or "") > 2000:
                raise SlackError("invalid_blocks")
        elif element.get("type") == "static_select":
            _check_options(element.get("options"))
        else:
            raise SlackError("invalid_blocks")


def _check_options(options: Any) -> None:
    if not isinstance(options, list) or not 1 <= len(options) <= 100:
        raise SlackError("invalid_blocks")
    for option in options:
        _check_text_object(option.get("text"), 75)
        if not 1 <= len(option.get("value") or "") <= 150:
            raise SlackError("invalid_blocks")
