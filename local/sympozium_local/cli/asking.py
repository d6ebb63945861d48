"""Asking one question, and showing the answer while it grows."""

import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from sympozium_local.cli.screen import Spinner, styled, waiting
from sympozium_local.cli.web_chat import (
    PATIENCE_S,
    RETRY_S,
    ChatUnavailableError,
    Event,
    Stream,
    WebChat,
)

ENDS = frozenset({"final", "error", "joined", "dropped"})


@dataclass(frozen=True)
class Answer:
    """How a message ended."""

    message_id: str
    text: str = ""
    error_code: str = ""
    error: str = ""


class GrowingText:
    """Writes a text that grows at its end, and sometimes starts anew."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._text = ""
        self._shown = ""

    def change(self, offset: int, text: str) -> None:
        """Replace what there is from *offset* on."""
        self._text = self._text[:offset] + text
        self._show()

    def end(self, text: str) -> None:
        """Show the whole text, and end the line."""
        self._text = text
        self._show()
        self._write("\n")

    def _show(self) -> None:
        if not self._text.startswith(self._shown):
            # What is on the screen was an attempt, or words before a tool was called.
            self._write("\n")
            self._shown = ""
        self._write(self._text[len(self._shown) :])
        self._shown = self._text

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()


def ask(chat: WebChat, text: str, *, stream: TextIO | None) -> Answer:
    """Send *text* and return its end; the answer is written to *stream* as it grows.

    What tools the agent uses is told on standard error.

    Raises:
        ChatRefusedError: The channel does not take the message.
        ChatUnavailableError: The channel is away for long.
    """
    with waiting("thinking") as spinner:
        opened = _listen_patiently(chat)  # before the message, so that nothing of it is missed
        try:
            message_id = chat.post(text, uuid.uuid4().hex)
        except Exception:
            opened.close()
            raise
        progress = _Progress(stream, spinner)
        for event in _events(chat, opened, message_id):
            if event.type in ENDS:
                answer = _answer(chat, event, message_id)
                progress.end(event, answer)
                return answer
            progress.show(event)
    raise ChatUnavailableError(
        "cannot follow the conversation: the web chat went away and did not come back; "
        "the message is stored, see the page for its answer"
    )


def _answer(chat: WebChat, event: Event, message_id: str) -> Answer:
    if event.type == "final":
        return Answer(message_id, str(event.data["text"]))
    if event.type == "error":
        error = event.data["error"]
        return Answer(message_id, error_code=error["code"], error=error["message"])
    if event.type == "joined":
        return Answer(
            message_id, (chat.reply_to(event.data["answered_with"]) or {}).get("text", "")
        )
    return Answer(message_id)


class _Progress:
    """What is seen of one message: a spinner wherever nothing else tells that it goes on."""

    def __init__(self, stream: TextIO | None, spinner: Spinner) -> None:
        self._is_shown = stream is not None
        self._growing = GrowingText(stream)
        self._spinner = spinner
        self._told = ""

    def show(self, event: Event) -> None:
        """Show one event before the end."""
        if event.type == "delta":
            if self._is_shown:
                self._spinner.hide()
            self._growing.change(int(event.data["offset"]), str(event.data["text"]))
        elif event.type == "progress":
            self._spinner.hide()
            _tell_progress(event)
            self._spinner.show()
        elif event.type == "waiting":
            self._spinner.hide()
            self._told = _tell_waiting(event, self._told)
            self._spinner.show()

    def end(self, event: Event, answer: Answer) -> None:
        """Show the whole answer, if there is one."""
        self._spinner.hide()
        if event.type in {"final", "joined"}:
            self._growing.end(answer.text)


def _events(chat: WebChat, stream: Stream, message_id: str) -> Iterator[Event]:
    """Yield a message's events up to its end, across lost connections."""
    while True:
        try:
            for event in stream:
                if event.data.get("message_id") == message_id:
                    yield event
                    if event.type in ENDS:
                        return
        finally:
            stream.close()
        try:
            stream = _listen_patiently(chat)
            ended = _from_transcript(chat, message_id)
        except ChatUnavailableError:
            return
        if ended is not None:
            stream.close()
            yield ended
            return


def _from_transcript(chat: WebChat, message_id: str) -> Event | None:
    entry = chat.reply_to(message_id)
    if entry is None:
        return None
    if entry.get("error"):
        return Event("error", {"message_id": message_id, "error": entry["error"]})
    return Event("final", {"message_id": message_id, "text": entry["text"]})


def _listen_patiently(chat: WebChat) -> Stream:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return chat.listen()
        except ChatUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_S)


def _tell_waiting(event: Event, told: str) -> str:
    """Say what a message waits for, unless that was *told* last; return what is told now."""
    before = event.data["before"]
    what = "waiting for capacity" if event.data["for_capacity"] else "waiting"
    said = f"{what}, {before} before this" if before else what
    if said != told:
        sys.stderr.write(styled(f"[{said}]", "2") + "\n")
        sys.stderr.flush()
    return said


def _tell_progress(event: Event) -> None:
    tool, state = event.data["tool"], event.data["state"]
    mark = {"started": "...", "done": "ok", "failed": "failed", "denied": "denied"}.get(state)
    sys.stderr.write(styled(f"[{tool} {mark or state}]", "2") + "\n")
    sys.stderr.flush()
