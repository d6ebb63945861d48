"""The event stream of a conversation: what was missed, what is at work, what happens."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from sympozium.contract.messages import Entry
from sympozium.contract.names import ConversationId, MessageId
from sympozium_web import events
from sympozium_web.audience import Audience, AudienceFullError, Listener
from sympozium_web.inbound import conversation_of
from sympozium_web.live_runs import LiveRun, LiveRuns
from sympozium_web.refusals import BAD_LAST_EVENT_ID, TOO_MANY_STREAMS, RequestRefusedError
from sympozium_web.resume import Resumption, ended_ids, running_entries
from sympozium_web.transcript import Transcript, TranscriptUnavailableError

HEARTBEAT_S = 15.0
LOOK_S = 1.0
"""How often we look whether a silent stream's client is still there: it has a place of few."""

WRITE_TIMEOUT_S = 20.0
TRANSCRIPT_RETRY_S = 1.0
MAX_SEQUENCE_DIGITS = 18


class EventStream:
    """Serves `GET .../events` of one channel."""

    def __init__(self, audience: Audience, transcript: Transcript, runs: LiveRuns) -> None:
        self._audience = audience
        self._transcript = transcript
        self._runs = runs

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Stream a conversation's events until the client goes, falls behind, or we stop.

        Who listens is known before the answer's headers are sent: nothing that
        happens after a client has seen them is missing from its stream.
        """
        conversation = conversation_of(request)
        resumption = Resumption(_last_event_id(request))
        response = _response()
        try:
            with self._audience.join(conversation) as listener:
                await response.prepare(request)
                reader = _Reader(request, response, listener)
                await self._serve(conversation, reader, resumption)
        except AudienceFullError:
            raise RequestRefusedError(TOO_MANY_STREAMS) from None
        except ConnectionError:
            pass  # the client went away, or was sent away
        return response

    async def _serve(
        self, conversation: ConversationId, reader: "_Reader", resumption: Resumption
    ) -> None:
        listener = reader.listener
        await reader.write(events.PREAMBLE)
        entries = await self._entries(conversation, reader)
        await reader.write(self._catch_up(conversation, listener, resumption, entries))
        silent_s = 0.0
        while not listener.is_over and not reader.is_gone:
            waiting = await listener.wait(timeout_s=LOOK_S)
            passed = [resumption.pass_on(event) for event in waiting]
            data = b"".join(wire for wire in passed if wire is not None)
            silent_s = 0.0 if data else silent_s + LOOK_S
            if data or silent_s >= HEARTBEAT_S:
                await reader.write(data or events.HEARTBEAT)
                silent_s = 0.0

    async def _entries(self, conversation: ConversationId, reader: "_Reader") -> list[Entry]:
        """Return the transcript, as soon as it can be had; events wait meanwhile."""
        while not reader.listener.is_over:
            try:
                return (await self._transcript.read(conversation)).entries
            except TranscriptUnavailableError:
                await reader.write(events.HEARTBEAT)
                await asyncio.sleep(TRANSCRIPT_RETRY_S)
        return []

    def _catch_up(
        self,
        conversation: ConversationId,
        listener: Listener,
        resumption: Resumption,
        entries: list[Entry],
    ) -> bytes:
        """Return what brings the client up to date; nothing else happens meanwhile."""
        missed = resumption.missed(
            entries,
            waiting=listener.waiting_ends,
            sequence_of_end=self._runs.sequence_of_end,
        )
        for message_id in ended_ids(entries):
            self._runs.forget(message_id)
        for entry in running_entries(entries):
            run = LiveRun(conversation, MessageId(entry.id), entry.run_name, entry.run_uid)
            self._runs.follow(run)
        so_far = [event for run in self._runs.of(conversation) for event in run.so_far()]
        listener.forget_live()
        return b"".join(
            (
                *(event.wire for event in missed),
                events.position(resumption.position),
                *(event.wire for event in so_far),
            )
        )


@dataclass(frozen=True)
class _Reader:
    """A client that reads its stream, or does not."""

    request: web.Request
    response: web.StreamResponse
    listener: Listener

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost."""
        return self.request.transport is None

    async def write(self, data: bytes) -> None:
        """Send *data*.

        Raises:
            ConnectionError: The client is gone, or reads so slowly that it was sent away.
        """
        try:
            if not self.listener.fell_behind:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await self.response.write(data)
                    return
        except TimeoutError:
            pass
        if self.request.transport is not None:
            self.request.transport.abort()
        raise ConnectionAbortedError("cannot write an event stream: its client does not read")


def _last_event_id(request: web.Request) -> int | None:
    text = request.headers.get("Last-Event-ID", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_SEQUENCE_DIGITS):
        raise RequestRefusedError(BAD_LAST_EVENT_ID)
    return int(text)


def _response() -> web.StreamResponse:
    return web.StreamResponse(
        headers={
            "Content-Type": f"{events.CONTENT_TYPE}; charset=utf-8",
            "X-Accel-Buffering": "no",
        }
    )
