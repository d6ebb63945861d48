"""What is to be shown at a message's end: pieces of text, then files. Nothing is called here."""

from dataclasses import dataclass

from sympozium.chat.capabilities import Capabilities
from sympozium.chat.commands import written
from sympozium.chat.markup import Dialect, Piece, escape, render
from sympozium.chat.outbox import wording
from sympozium.chat.platform import Attachment, Shown
from sympozium.contract.messages import Choice, FileRef, OutboundKind, OutboundMessage

BEGINNING_IN_MESSAGES = 2
"""The beginning of a long answer is looked for in so many times what it may fill."""


@dataclass(frozen=True)
class Plan:
    """The end of a message.

    Attributes:
        pieces: At least one, in order.
        files: After the pieces, in order.
    """

    pieces: tuple[Shown, ...]
    files: tuple[Attachment | FileRef, ...]


def plan_end(message: OutboundMessage, capabilities: Capabilities) -> Plan:
    """Return what a FINAL or an ERROR shows on a platform that can do so much."""
    sendable = [file for file in message.files if _fits(file, capabilities)]
    body, tail = _body(message, has_files=bool(sendable)), _tail(message, capabilities)
    pieces, whole = _pieces(body, tail, capabilities)
    pieces = pieces or _literal(_nothing(message), capabilities)
    choices = tuple(message.choices) if capabilities.has_choices else ()
    author = "" if message.is_notice else message.agent
    last = len(pieces) - 1
    shown = tuple(
        Shown(
            piece=piece,
            choices=choices if number == last else (),
            author=author,
            is_private=message.is_private and capabilities.has_private,
        )
        for number, piece in enumerate(pieces)
    )
    return Plan(pieces=shown, files=(*whole, *sendable))


def said(text: str, capabilities: Capabilities) -> Shown:
    """Return a sentence of the channel's own, as it is shown."""
    return Shown(piece=_literal(text, capabilities)[0])


def _pieces(
    body: str, tail: str, capabilities: Capabilities
) -> tuple[list[Piece], tuple[Attachment, ...]]:
    """Return the pieces of an answer, and the file that holds all of it where they do not."""
    dialect, limit, most = capabilities.dialect, capabilities.limit, capabilities.max_pieces
    data = body.encode(errors="replace")
    if len(data) > capabilities.max_file_bytes:
        return render(f"{body}{tail}", dialect, limit), ()
    beginning = body[: BEGINNING_IN_MESSAGES * most * limit.size]
    if len(beginning) == len(body):
        beginning = f"{body}{tail}"
    pieces = render(beginning, dialect, limit)
    if len(pieces) <= most and len(beginning) < len(body):
        pieces = render(f"{body}{tail}", dialect, limit)
    if len(pieces) <= most:
        return pieces, ()
    note = render(f"{_in_markdown(wording.WHOLE_ANSWER_FOLLOWS)}{tail}", dialect, limit)
    whole = Attachment(name=wording.WHOLE_ANSWER_FILE, media_type="text/markdown", data=data)
    return [*pieces[: max(1, most - 1)], *note], (whole,)


def _body(message: OutboundMessage, *, has_files: bool) -> str:
    """Return what is said, as Markdown; never blank."""
    if message.kind is OutboundKind.ERROR:
        words = message.error.message if message.error is not None else message.text
        return _in_markdown(
            words.strip() or wording.error_without_words(wording.reference(message))
        )
    if message.text.strip():
        return message.text
    return _in_markdown(wording.ANSWER_IN_FILES if has_files else _nothing(message))


def _nothing(message: OutboundMessage) -> str:
    return wording.empty_answer(wording.reference(message))


def _tail(message: OutboundMessage, capabilities: Capabilities) -> str:
    """Return what is added to an answer: files that cannot be sent, choices to be written."""
    lines = [
        _in_markdown(wording.file_too_long(file.name, file.size_bytes, capabilities.max_file_bytes))
        for file in message.files
        if not _fits(file, capabilities)
    ]
    if not capabilities.has_choices:
        lines += [_written(choice) for choice in message.choices]
    return "".join(f"\n\n{line}" for line in lines)


def _written(choice: Choice) -> str:
    return _in_markdown(f"{choice.label}: {written(choice.command)}")


def _fits(file: FileRef, capabilities: Capabilities) -> bool:
    return 0 < file.size_bytes <= capabilities.max_file_bytes


def _literal(text: str, capabilities: Capabilities) -> list[Piece]:
    return render(_in_markdown(text), capabilities.dialect, capabilities.limit)


def _in_markdown(text: str) -> str:
    """Return plain text as Markdown that says just that."""
    return escape(text, Dialect.MARKDOWN)
