"""Slack's own streaming of a growing answer: started as the placeholder, ended by an edit.

What was streamed cannot be changed while the stream is open, only added to; and
Slack closes a stream after some minutes. Neither matters: the end of an answer stops
the stream and replaces what it showed.
"""

from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    PlatformBusyError,
    ThreadGoneError,
)
from sympozium.chat.platform import Growing, Shown
from sympozium.contract.errors import PermanentError
from sympozium_slack.api import Api
from sympozium_slack.blocks import choice_blocks
from sympozium_slack.ids import Origin
from sympozium_slack.refusals import StreamEndedError
from sympozium_slack.windows import Window

MAX_STREAMED_CHARS = 11_000
"""How much of an answer is streamed; more is seen at its end. Slack takes 12,000 characters."""

STARTS_PER_MINUTE = 15
"""Of 20 calls of `chat.startStream`, and as many of `chat.stopStream`, that Slack allows."""

MAX_REMEMBERED = 1024
WORKING = "Working"
_TASK = "work"
_JOINER = "\u2060"
"""Invisible; after a sign that could begin a mention it makes the sign one like others."""


@dataclass
class _Stream:
    thread: str
    source: str = ""
    status: str = WORKING
    sent_chars: int = 0


class Streams:
    """The open streams of this process, and where there can be none."""

    def __init__(self, api: Api, clock: Callable[[], float] = monotonic) -> None:
        self._api = api
        self._streams: OrderedDict[tuple[str, str], _Stream] = OrderedDict()
        self._starts = Window(STARTS_PER_MINUTE, 60.0, clock=clock)
        self._without: dict[str, None] = {}

    def is_possible(self, origin: Origin, shown: Shown) -> bool:
        """Return whether a stream can be started now: in a thread, for a person, with a button.

        The button is how a stream is found again whose start was not confirmed.
        """
        if not (origin.thread and origin.user and origin.team and shown.choices):
            return False
        if origin.channel in self._without:
            return False
        return self._starts.has_room()

    def is_open(self, channel: str, ts: str) -> bool:
        """Return whether this process streams into a message."""
        return (channel, ts) in self._streams

    def has_open(self, origin: Origin) -> bool:
        """Return whether something is streamed into the thread of *origin*."""
        return any(
            channel == origin.channel and stream.thread == origin.thread
            for (channel, _), stream in self._streams.items()
        )

    async def start(
        self, origin: Origin, shown: Shown, marker: str, name: dict[str, Any]
    ) -> str | None:
        """Start a stream and return its ts; None where there can be none, and nothing is shown.

        Raises:
            TransientError: It may or may not be there.
            PermanentError: Nothing can be shown there at all.
        """
        self._starts.take()
        try:
            answer = await self._api.call(
                "chat.startStream",
                channel=origin.channel,
                thread_ts=origin.thread,
                recipient_user_id=origin.user,
                recipient_team_id=origin.team,
                chunks=[
                    _task(WORKING, is_done=False),
                    {"type": "blocks", "blocks": choice_blocks(shown.choices, marker)},
                ],
                **name,
            )
        except PlatformBusyError:
            return None
        except (AccountRefusedError, ChatClosedError, ThreadGoneError):
            raise
        except PermanentError:
            self._leave_out(origin.channel)
            return None
        ts = str(answer["ts"])
        self._streams[origin.channel, ts] = _Stream(thread=origin.thread)
        while len(self._streams) > MAX_REMEMBERED:
            self._streams.popitem(last=False)
        return ts

    async def grow(self, channel: str, ts: str, growing: Growing) -> None:
        """Add what is new to an open stream; while Slack asks to wait, nothing is.

        Raises:
            StreamEndedError: Slack closed it.
            TransientError, PermanentError: As `Api.call`.
        """
        stream = self._streams[channel, ts]
        before = replace(stream)
        chunks = _news(stream, growing)
        if not chunks:
            return
        try:
            await self._api.call("chat.appendStream", channel=channel, ts=ts, chunks=chunks)
        except PlatformBusyError:  # the method must rest, and not the chat; it is seen later
            self._streams[channel, ts] = before
        except StreamEndedError:
            self.forget(channel, ts)
            raise

    async def stop(self, channel: str, ts: str) -> None:
        """End a stream. That it has ended is success; raises as `Api.call`."""
        with suppress(StreamEndedError):
            await self._api.call("chat.stopStream", channel=channel, ts=ts)
        self.forget(channel, ts)

    def forget(self, channel: str, ts: str) -> None:
        """Take a stream as ended."""
        self._streams.pop((channel, ts), None)

    def _leave_out(self, channel: str) -> None:
        self._without[channel] = None
        while len(self._without) > MAX_REMEMBERED:
            del self._without[next(iter(self._without))]


def harmless(markdown: str) -> str:
    """Return a model's Markdown so that it pings nobody: every sign by itself, however it goes on.

    It is added to piece by piece, so nothing may depend on what comes after.
    """
    return markdown.replace("@", f"@{_JOINER}").replace("<", f"<{_JOINER}")


def _news(stream: _Stream, growing: Growing) -> list[dict[str, Any]]:
    """Return what a stream is to be sent; it counts as sent from now on.

    What gets lost is seen at the end. What is sent twice is seen twice until then.
    """
    chunks: list[dict[str, Any]] = []
    goes_on = growing.markdown.startswith(stream.source)
    new = growing.markdown[len(stream.source) :] if goes_on else f"\n\n{growing.markdown}"
    text = harmless(new)[: max(0, MAX_STREAMED_CHARS - stream.sent_chars)]
    if text.strip():
        stream.source = growing.markdown
        stream.sent_chars += len(text)
        chunks.append({"type": "markdown_text", "text": text})
    if growing.status != stream.status:
        title = growing.status or stream.status or WORKING
        stream.status = growing.status
        chunks.append(_task(title, is_done=not growing.status))
    return chunks


def _task(title: str, *, is_done: bool) -> dict[str, Any]:
    status = "complete" if is_done else "in_progress"
    return {"type": "task_update", "id": _TASK, "title": title, "status": status}
