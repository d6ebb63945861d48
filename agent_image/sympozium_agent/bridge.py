"""The bridge of a run: the only container that reaches the bus and the model endpoint.

It briefs the agent, records what the agent writes, and passes its model calls on. It
may be killed at any line: the kubelet starts it again, and it goes on where it was.
"""

import asyncio
import logging
import socket
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.names import RunUid
from sympozium.contract.reasons import Reason
from sympozium.contract.subjects import reply_prefix, run_in
from sympozium.runtime.logs import redact
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium.runtime.reach import reach
from sympozium.runtime.settings import LOG_LEVELS, Reader
from sympozium.runtime.sync_points import Point
from sympozium_agent import heed_sigterm
from sympozium_agent.blocked import BlockedConnections
from sympozium_agent.briefing import Briefing, ContextUnavailableError
from sympozium_agent.follow import Follower, follow
from sympozium_agent.fullness import LOOK_EVERY_S, is_full
from sympozium_agent.incoming import Incoming
from sympozium_agent.journal import JournalRefusedError, JournalWriter
from sympozium_agent.layout import DEFAULT_IPC_DIR, IpcLayout
from sympozium_agent.lean_imports import unused_hidden
from sympozium_agent.model_proxy.server import ModelProxy, serve_model
from sympozium_agent.model_proxy.upstream import Endpoint, open_upstream
from sympozium_agent.outgoing import Outgoing
from sympozium_agent.recorded import RecordedFile
from sympozium_agent.recorder import Recorder
from sympozium_agent.run_bus import RunBus, RunIdentity
from sympozium_agent.steering import HandingOver, Told

with unused_hidden():
    from sympozium.bus.nats import Address, connect, token_in

log = logging.getLogger(__name__)

CONNECT_PATIENCE_S = 2.0
"""After which a bus that is away is worth a line in the log, and is tried again."""

FULL = "the volume that the containers of the run share has no room left"


@dataclass(frozen=True)
class Settings:
    """What the bridge is told by its environment."""

    identity: RunIdentity
    layout: IpcLayout
    nats_url: str
    token_file: Path | None
    endpoint: Endpoint
    model: str
    model_port: int
    context_patience_s: float
    counts_blocked: bool
    log_level: str

    def address(self) -> Address:
        """Return where the bus is, and who this run is there."""
        run = self.identity
        return Address(
            self.nats_url,
            f"run-{run.run_name}",
            reply_prefix("run", run.namespace, run.run_uid),
            token_in(self.token_file),
        )


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: Something in it is missing or wrong.
    """
    reader = Reader()
    token_file = reader.text("SYMPOZIUM_NATS_TOKEN_FILE", "")
    key_file = reader.text("SYMPOZIUM_MODEL_KEY_FILE", "")
    identity = RunIdentity(
        reader.text("SYMPOZIUM_NAMESPACE"),
        reader.text("SYMPOZIUM_RUN_NAME"),
        RunUid(reader.text("SYMPOZIUM_RUN_UID")),
        # A pod's host name is its name, which no second pod of a run shares either.
        reader.text("SYMPOZIUM_POD_UID", socket.gethostname()),
    )
    settings = Settings(
        identity,
        IpcLayout(reader.path("SYMPOZIUM_IPC_DIR", DEFAULT_IPC_DIR)),
        reader.text("SYMPOZIUM_NATS_URL"),
        Path(token_file) if token_file else None,
        Endpoint(
            reader.text("SYMPOZIUM_MODEL_BASE_URL"),
            reader.seconds("SYMPOZIUM_MODEL_IDLE_TIMEOUT_S", 30.0, low=0.1, high=3600),
            reader.text("OPENAI_API_KEY", ""),
            Path(key_file) if key_file else None,
        ),
        reader.text("SYMPOZIUM_MODEL"),
        reader.number("SYMPOZIUM_MODEL_PORT", 8001, low=1, high=65535),
        reader.seconds("SYMPOZIUM_CONTEXT_TIMEOUT_S", 300.0, low=0.1, high=86400),
        reader.choice("SYMPOZIUM_COUNT_BLOCKED", "no", ("yes", "no")) == "yes",
        reader.choice("SYMPOZIUM_LOG_LEVEL", "INFO", LOG_LEVELS),
    )
    reader.finish()
    return settings


async def run() -> None:
    """Serve the run of this pod until the kubelet says that its agent has ended."""
    settings = read_settings()
    logging.getLogger().setLevel(settings.log_level)
    redact(settings.endpoint.key)
    stop = stop_on_signals()
    heed_sigterm()
    async with (
        open_upstream(settings.endpoint) as upstream,
        serve_model(ModelProxy(upstream, settings.model), settings.model_port),
        AsyncExitStack() as stack,
    ):
        while _is_needed(settings, stop):
            try:
                connection = connect(settings.address(), patience_s=CONNECT_PATIENCE_S)
                bus = await stack.enter_async_context(connection)
            except BusUnavailableError as error:
                log.warning("bus is away", extra={"action": "retry", "cause": str(error)})
            else:
                await _serve_run(bus, settings, stop)
                return


def _is_needed(settings: Settings, stop: asyncio.Event) -> bool:
    """Return whether the run goes on, or said something that is not on the bus yet."""
    if not stop.is_set():
        return True
    recorded = RecordedFile(settings.layout.recorded).read()
    journal = settings.layout.from_agent
    has_more = journal.exists() and journal.lstat().st_size > recorded.offset
    return has_more and not recorded.is_ended


async def _serve_run(bus: RunBus, settings: Settings, stop: asyncio.Event) -> None:
    """Brief the agent and record its journal, to its end once *stop* is set."""
    reach(Point.BRIDGE_CONNECTED)
    identity, layout = settings.identity, settings.layout
    told = Told(layout.to_agent)
    outgoing = Outgoing(bus, identity, layout.outgoing_files)
    blocked = BlockedConnections() if settings.counts_blocked else None
    kept = RecordedFile(layout.recorded)
    recorder = Recorder(bus, identity, kept, outgoing, told, blocked=blocked)
    async with (
        follow(layout.from_agent, offset=recorder.offset) as lines,
        asyncio.TaskGroup() as group,
    ):
        others = [
            group.create_task(_tell(bus, settings, told, recorder, lines)),
            group.create_task(_end_when_full(layout.root, recorder, lines)),
            group.create_task(recorder.count_blocked()),
        ]
        recording = group.create_task(recorder.record(lines))
        await stop.wait()
        for other in others:
            other.cancel()
        lines.end()
        await recording
        if is_full(layout.root):  # perhaps since the last look, and the agent died of it
            recorder.decide_end(Reason.VOLUME_FULL, FULL)
            await recorder.record(lines)
    if blocked is not None and (count := blocked.count()):
        extra = {"action": "refuse", "run": identity.run_name, "count": count}
        log.warning("connections of this pod came to nothing", extra=extra)


async def _end_when_full(volume: Path, recorder: Recorder, lines: Follower) -> None:
    """Have the run end once there is no room left on its volume; until cancelled."""
    while not is_full(volume):  # noqa: ASYNC110 - no file system tells when it is full
        await asyncio.sleep(LOOK_EVERY_S)
    recorder.decide_end(Reason.VOLUME_FULL, FULL)
    lines.end()


async def _tell(
    bus: RunBus, settings: Settings, told: Told, recorder: Recorder, lines: Follower
) -> None:
    """Tell the agent its task, and then what comes for it; until cancelled."""
    if recorder.is_ended:
        return
    identity, path = settings.identity, settings.layout.to_agent
    files = Incoming(bus, identity, settings.layout.incoming_files)
    # Listening begins first: what the router hands over after it has answered must not be missed.
    subject = run_in(identity.namespace, identity.run_uid)
    briefing = Briefing(bus, identity, path, files)
    try:
        with bus.gaps() as gap:
            async with bus.listen(subject) as messages:
                if not told.is_briefed:
                    told.briefed(await briefing.give(patience_s=settings.context_patience_s))
                with closing(JournalWriter(path)) as journal:
                    handing = HandingOver(journal, told, files)
                    async with asyncio.TaskGroup() as group:
                        group.create_task(handing.heard(messages))
                        group.create_task(handing.missed(gap, briefing.sent))
    except ContextUnavailableError as error:
        recorder.decide_end(error.reason, str(error))
        lines.end()
    except JournalRefusedError as error:
        is_for_room = is_full(settings.layout.root)
        recorder.decide_end(Reason.VOLUME_FULL if is_for_room else Reason.INTERNAL, str(error))
        lines.end()


def main() -> None:
    """Run the bridge of the pod that this process is in."""
    run_program("bridge", run)


if __name__ == "__main__":
    main()
