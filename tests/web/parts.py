"""What stands around the web channel in its tests: the program itself, and a router from memory."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec
import nats.errors

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Delivery
from sympozium.contract.envelope import decode, encode, unwrap, wrap
from sympozium.contract.messages import (
    Choice,
    Entry,
    EntryState,
    FileRef,
    HistoryAnswer,
    HistoryRequest,
    InboundMessage,
    OutboundKind,
    OutboundMessage,
    Role,
    VisibleError,
    outbound_id,
)
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.run_events import Delta, LiveLine, Progress, Started
from sympozium.contract.subjects import live, outbox
from tests.fixtures.nats_server import free_port

NAMESPACE = "default"
CHANNEL = "web"
START_TIMEOUT_S = 15.0
PATIENCE_S = 15.0


@dataclass
class WebProgram:
    """The channel as a process of its own, as it runs in a pod."""

    nats_url: str
    log: Path
    port: int = field(default_factory=free_port)
    environ: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process' id."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start the process and return at once."""
        environ = {
            "PATH": os.environ["PATH"],
            "SYMPOZIUM_CHANNEL_NAMESPACE": NAMESPACE,
            "SYMPOZIUM_CHANNEL_NAME": CHANNEL,
            "SYMPOZIUM_NATS_URL": self.nats_url,
            "SYMPOZIUM_WEB_PORT": str(self.port),
            **self.environ,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sympozium_web"], env=environ, stdout=log, stderr=log
            )

    def start(self) -> None:
        """Start the process and return when it is ready."""
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def is_ready(self) -> bool:
        """Return what `/readyz` says; False where nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (HTTPException, OSError):
            return False
        finally:
            connection.close()

    def wait(self) -> int:
        """Wait for the process to end and return its exit code."""
        assert self._process is not None
        code = self._process.wait(START_TIMEOUT_S)
        self._process = None
        return code

    def terminate(self) -> int:
        """Ask the process to end, as a kubelet does, and return its exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """End the process by SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self.wait()


@dataclass
class MemoryRouter:
    """Speaks the router's side of the contract: history, OUTBOX, and a run's live tokens."""

    bus: NatsBus
    deliveries: AsyncIterator[Delivery]
    transcripts: dict[ConversationId, list[Entry]] = field(default_factory=dict)
    history_error: str = ""
    max_entries: int = 500

    async def answer_history(self, _subject: str, data: bytes) -> bytes:
        """Answer a request for a transcript."""
        if self.history_error:
            return encode(HistoryAnswer(error=self.history_error))
        request = decode(data, HistoryRequest)
        entries = self.transcripts.get(request.conversation, [])
        fitting = entries[-min(request.limit, self.max_entries) :]
        has_earlier = len(fitting) < len(entries)
        return encode(HistoryAnswer(entries=fitting, has_earlier=has_earlier))

    async def next_message(self, conversation: str) -> InboundMessage:
        """Take the next message of a conversation from INBOX and record it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                delivery = await anext(self.deliveries)
                message = unwrap(delivery.data, InboundMessage)
                await delivery.ack()
                if message.conversation == conversation:
                    break
        self._record(message)
        return message

    def _record(self, message: InboundMessage) -> None:
        entry = Entry(
            id=message.message_id,
            role=Role.USER,
            text=message.text,
            time=message.time,
            state=EntryState.STORED,
        )
        self.transcripts.setdefault(message.conversation, []).append(entry)

    async def accept(self, message: InboundMessage) -> RunUid:
        """Say that a run works on a message; return the run's uid."""
        key = message.message_id.rpartition(":")[2]
        uid = RunUid("uid-" + re.sub(r"[.~]", "_", key))
        name = RunName(f"web-{uid}")
        self._change(message, state=EntryState.RUNNING, run_uid=uid, run_name=name)
        await self._publish(
            OutboundMessage(
                kind=OutboundKind.ACCEPTED,
                message_id=message.message_id,
                conversation=message.conversation,
                run_name=name,
                run_uid=uid,
            )
        )
        await self._until_followed(uid)
        return uid

    async def _until_followed(self, uid: RunUid) -> None:
        """Wait until somebody listens to a run: the bus says where nobody does."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.bus.client.request(live(NAMESPACE, uid), b"", timeout=0.05)
                except nats.errors.NoRespondersError:
                    await asyncio.sleep(0.005)
                except nats.errors.TimeoutError:
                    return

    async def say(self, uid: RunUid, *lines: LiveLine) -> None:
        """Send what a run says while it works."""
        for line in lines:
            await self.bus.send(live(NAMESPACE, uid), encode(line))

    async def stream(self, uid: RunUid, *pieces: str) -> None:
        """Send an answer piece by piece."""
        offset = 0
        for piece in pieces:
            await self.say(uid, Delta(text=piece, offset=offset))
            offset += len(piece)

    async def finish(self, message: InboundMessage, text: str, *choices: Choice) -> int:
        """Give a message its answer; return its OUTBOX sequence."""
        self._change(message, state=EntryState.DONE)
        return await self._end(message, OutboundKind.FINAL, text, None, choices)

    async def fail(
        self, message: InboundMessage, code: str, sentence: str, *choices: Choice
    ) -> int:
        """Give a message its error; return its OUTBOX sequence."""
        self._change(message, state=EntryState.FAILED)
        error = VisibleError(code=code, message=sentence)
        return await self._end(message, OutboundKind.ERROR, "", error, choices)

    def try_again(self, message: InboundMessage) -> InboundMessage:
        """Record another try of a message, and return it."""
        again = msgspec.structs.replace(message, message_id=MessageId(f"{message.message_id}~1"))
        self._record(again)
        return again

    async def join(self, message: InboundMessage, other: InboundMessage) -> int:
        """Say that the answer to *other* answers *message* too; return its OUTBOX sequence."""
        self._change(message, state=EntryState.DONE)
        return await self._publish(
            OutboundMessage(
                kind=OutboundKind.JOINED,
                message_id=message.message_id,
                conversation=message.conversation,
                answered_with=other.message_id,
            )
        )

    async def drop(self, message: InboundMessage) -> int:
        """Say that a message needs no answer; return its OUTBOX sequence."""
        entries = self.transcripts[message.conversation]
        entries[:] = [entry for entry in entries if entry.id != message.message_id]
        return await self._publish(
            OutboundMessage(
                kind=OutboundKind.DROPPED,
                message_id=message.message_id,
                conversation=message.conversation,
            )
        )

    async def notify(
        self, message: InboundMessage, text: str, *choices: Choice, files: Sequence[FileRef] = ()
    ) -> int:
        """Answer a message in the system's own name; return its OUTBOX sequence."""
        self._change(message, state=EntryState.DONE)
        return await self._publish(
            OutboundMessage(
                kind=OutboundKind.FINAL,
                message_id=message.message_id,
                conversation=message.conversation,
                text=text,
                choices=list(choices),
                files=list(files),
                is_notice=True,
            )
        )

    async def publish_raw(self, data: bytes, message_id: str) -> None:
        """Put any bytes into OUTBOX."""
        await self.bus.publish(outbox(NAMESPACE, CHANNEL), data, message_id=message_id)

    async def _end(
        self,
        message: InboundMessage,
        kind: OutboundKind,
        text: str,
        error: VisibleError | None,
        choices: Sequence[Choice] = (),
    ) -> int:
        outbound = OutboundMessage(
            kind=kind,
            message_id=message.message_id,
            conversation=message.conversation,
            text=text,
            error=error,
            choices=list(choices),
        )
        entry = Entry(
            id=f"{message.message_id}/reply",
            role=Role.ASSISTANT,
            text=text,
            time=datetime.now(UTC),
            in_reply_to=message.message_id,
            error=error,
            choices=list(choices),
        )
        entries = self.transcripts[message.conversation]
        entries.append(entry)
        sequence = await self._publish(outbound)
        entries[entries.index(entry)] = replace_entry(entry, sequence=sequence)
        return sequence

    async def _publish(self, message: OutboundMessage) -> int:
        identity = outbound_id(message.message_id, message.kind)
        data = wrap(message, id=identity, time=datetime.now(UTC))
        receipt = await self.bus.publish(outbox(NAMESPACE, CHANNEL), data, message_id=identity)
        return receipt.sequence

    def _change(self, message: InboundMessage, **fields: object) -> None:
        entries = self.transcripts[message.conversation]
        for index, entry in enumerate(entries):
            if entry.id == message.message_id:
                entries[index] = replace_entry(entry, **fields)


def replace_entry(entry: Entry, **fields: object) -> Entry:
    """Return *entry* with some fields changed."""
    return msgspec.structs.replace(entry, **fields)


def tool(state: str, name: str = "list_pods") -> Progress:
    """Return what a run says when a tool call begins or ends."""
    return Progress(call_id="call/1", tool=name, state=state)


STARTED = Started()


def message_id(conversation: str, client_id: str) -> MessageId:
    """Return the id that the channel gives to a client's message."""
    return MessageId(f"web:{NAMESPACE}/{CHANNEL}:{conversation}:{client_id}")


def error_of(body: str) -> dict[str, str]:
    """Return the error that an answer says."""
    said: dict[str, dict[str, str]] = json.loads(body)
    assert set(said) == {"error"}
    assert set(said["error"]) == {"code", "message", "hint"}
    return said["error"]
