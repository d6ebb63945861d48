"""The containers of a run's pod as processes of this machine, around one folder."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sympozium.bus.nats import NatsBus
from sympozium.contract.desk import FetchAnswer, FetchRequest
from sympozium.contract.envelope import decode, encode, wrap
from sympozium.contract.limits import FILE_PART_BYTES
from sympozium.contract.messages import FileRef
from sympozium.contract.names import MessageId, RunName, RunUid
from sympozium.contract.run_events import (
    ContextAnswer,
    Failure,
    ModelAccess,
    RecordedLine,
    Result,
    RunContext,
    RunEvent,
    Steering,
    recorded_event,
)
from sympozium.contract.subjects import RUNS, context, fetch, live, run_in, run_out
from sympozium_agent.layout import IpcLayout
from sympozium_local.demo_model.server import DemoModel
from tests.fixtures.nats_server import NatsServer, free_port

NAMESPACE = "default"
RUN_UID = RunUid("0b6a7f0e-run")
KEY = "sk-planted-key-of-the-model"
PATIENCE_S = 15.0

Process = subprocess.Popen[bytes]


@dataclass
class Pod:
    """One run's pod. Its containers may be killed and started again.

    Attributes:
        runner: Command before that of a container, such as what lets it see its volume.
        volume: The shared volume as this process sees it; None: as the containers do.
    """

    folder: Path
    nats: NatsServer
    bus: NatsBus
    model: DemoModel
    task: str = "hello"
    skills: list[str] = field(default_factory=list)
    allowed_tools: list[str] | None = None
    answer: ContextAnswer | None = None
    idle_timeout_s: float = 5.0
    environment: dict[str, str] = field(default_factory=dict)
    model_port: int = field(default_factory=free_port)
    asked_for_context: int = 0
    context_was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    files: list[FileRef] = field(default_factory=list)
    steered: list[Steering] = field(default_factory=list)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    asked_for_parts: int = 0
    busy_times: int = 0
    runner: tuple[str, ...] = ()
    volume: Path | None = None
    _processes: list[Process] = field(default_factory=list)

    @property
    def layout(self) -> IpcLayout:
        """The shared volume."""
        return IpcLayout(self.volume or self.folder / "ipc")

    @property
    def context(self) -> RunContext:
        """What the router says."""
        return RunContext(
            run_name=RunName("web-run"),
            run_uid=RUN_UID,
            task=self.task,
            model=ModelAccess(provider="openai", model="demo"),
            skills=self.skills,
            allowed_tools=self.allowed_tools,
            files=self.files,
            steered=self.steered,
        )

    def has_file(self, name: str, data: bytes, *, media_type: str = "text/plain") -> FileRef:
        """Return a reference to a file that the router hands out."""
        id_ = f"file{len(self.parts)}"
        cut = range(0, len(data), FILE_PART_BYTES)
        for number, begin in enumerate(cut):
            self.parts[id_, number] = data[begin : begin + FILE_PART_BYTES]
        return FileRef(
            id=id_,
            owner="web",
            name=name,
            media_type=media_type,
            size_bytes=len(data),
            parts=len(cut),
        )

    async def steer(self, message_id: str, text: str, *files: FileRef) -> None:
        """Hand a message to the run, as the router does."""
        data = handed(message_id, text, *files)
        await self.bus.publish(run_in(NAMESPACE, RUN_UID), data, message_id=f"{message_id}/steer")

    async def send_until_told(self, *messages: tuple[str, str]) -> None:
        """Hand messages over, over and over, until the agent has been told the last one."""
        last_id, _ = messages[-1]
        async with asyncio.timeout(PATIENCE_S):
            while last_id.encode() not in self.layout.to_agent.read_bytes():
                for message_id, text in messages:
                    await self.bus.send(run_in(NAMESPACE, RUN_UID), handed(message_id, text))
                await self.bus.client.flush()

    async def until_told(self, message_id: str) -> None:
        """Return once the agent has been told a message, whether or not it has begun."""
        async with asyncio.timeout(PATIENCE_S):
            while message_id.encode() not in self.layout.to_agent.read_bytes():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def until_listening(self) -> None:
        """Return once the bridge hears what is handed to the run."""
        async with asyncio.timeout(PATIENCE_S):
            await self.context_was_asked.wait()

    def start(self, module: str) -> Process:
        """Start a container's program."""
        with (self.folder / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [*self.runner, sys.executable, "-m", f"sympozium_agent.{module}"],
                env=self._environment(),
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def log_of(self, module: str) -> str:
        """Return what a container's program has logged."""
        return (self.folder / f"{module}.log").read_text()

    async def recorded(self) -> list[RecordedLine]:
        """Return what the run's bridge has put on RUNS, in order."""
        events: list[RecordedLine] = []
        sequence = 1
        while stored := await self.bus.at(RUNS, sequence):
            assert stored.subject in {run_out(NAMESPACE, RUN_UID), run_in(NAMESPACE, RUN_UID)}
            if stored.subject == run_out(NAMESPACE, RUN_UID):
                events.append(recorded_event(stored.data))
            sequence += 1
        return events

    async def end(self) -> Result | Failure:
        """Return how the run ends, as soon as it is on RUNS."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in await self.recorded():
                    if isinstance(event, Result | Failure):
                        return event
                await asyncio.sleep(0.02)

    async def until_answered(self) -> None:
        """Return when the agent has written its answer."""
        async with asyncio.timeout(PATIENCE_S):
            while b'"type":"result"' not in self.layout.from_agent.read_bytes():  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def has_ended(self, module: str) -> bool:
        """Return whether a container's program was started and is gone."""
        program = f"sympozium_agent.{module}"
        return any(program in str(one.args) and one.poll() is not None for one in self._processes)

    async def until_serving(self) -> None:
        """Return when the bridge has come so far that it takes model calls."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.model_port)) == 0:
                        return
                await asyncio.sleep(0.02)

    async def ends_recorded(self, bridge: Process) -> list[RecordedLine]:
        """Let *bridge* drain as the kubelet does; return every end that is on RUNS then."""
        await self.until_serving()
        assert await terminated(bridge) == 0
        return [e for e in await self.recorded() if isinstance(e, Result | Failure)]

    @asynccontextmanager
    async def live_events(self) -> AsyncIterator[AsyncIterator[RunEvent]]:
        """Follow the run's live subject while the block lasts."""
        async with self.bus.listen(live(NAMESPACE, RUN_UID)) as messages:
            yield (decode(data, RunEvent) async for _, data in messages)  # type: ignore[arg-type] # a union

    @asynccontextmanager
    async def router(self) -> AsyncIterator[None]:
        """Answer the request for the context while the block lasts."""

        async def respond(_: str, __: bytes) -> bytes:
            self.asked_for_context += 1
            self.context_was_asked.set()
            return encode(self.answer or ContextAnswer(context=self.context))

        async def hand_out(_: str, data: bytes) -> bytes:
            request = decode(data, FetchRequest)
            self.asked_for_parts += 1
            if self.asked_for_parts <= self.busy_times:
                return encode(FetchAnswer(error="not now", retry=True))
            part = self.parts.get((request.id, request.part))
            return encode(
                FetchAnswer(error="it is gone") if part is None else FetchAnswer(data=part)
            )

        async with (
            self.bus.respond(context(NAMESPACE, RUN_UID), respond, group="router"),
            self.bus.respond(fetch(NAMESPACE, RUN_UID), hand_out, group="router"),
        ):
            yield

    def kill_all(self) -> None:
        """End every container."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "SYMPOZIUM_RUN_UID": RUN_UID,
            "SYMPOZIUM_RUN_NAME": "web-run",
            "SYMPOZIUM_POD_UID": "pod-1",
            "SYMPOZIUM_NAMESPACE": NAMESPACE,
            "SYMPOZIUM_IPC_DIR": str(self.folder / "ipc"),
            "SYMPOZIUM_NATS_URL": self.nats.url,
            "SYMPOZIUM_MODEL_PORT": str(self.model_port),
            "SYMPOZIUM_MODEL_URL": f"http://127.0.0.1:{self.model_port}/v1",
            "SYMPOZIUM_MODEL_BASE_URL": self.model.url,
            "SYMPOZIUM_MODEL": "demo",
            "SYMPOZIUM_MODEL_IDLE_TIMEOUT_S": str(self.idle_timeout_s),
            "SYMPOZIUM_SKILL": "cluster-reader",
            "OPENAI_API_KEY": KEY,
            **self.environment,
        }


def handed(message_id: str, text: str, *files: FileRef) -> bytes:
    """Return a message for a run at work, as it is on the bus."""
    steering = Steering(message_id=MessageId(message_id), text=text, files=list(files))
    return wrap(steering, id=f"{message_id}/steer", time=datetime.now(UTC))


async def exited(process: Process) -> int:
    """Return the exit code of *process* once it has ended."""
    return await asyncio.to_thread(process.wait, PATIENCE_S)


async def terminated(process: Process) -> int:
    """End *process* by SIGTERM, as the kubelet does, and return its exit code."""
    process.send_signal(signal.SIGTERM)
    return await exited(process)


async def killed(process: Process) -> None:
    """End *process* by SIGKILL, and return when it is gone."""
    process.kill()
    await exited(process)
