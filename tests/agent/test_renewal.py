"""A credential that is over while the run is at work: renewed, and nothing is lost meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, connect
from sympozium.bus.server import CALLOUT_SUBJECT, ServerAccess, new_issuer, server_config
from sympozium.contract.envelope import encode
from sympozium.contract.names import MessageId
from sympozium.contract.run_events import Absorbed, Result, Steering
from sympozium.contract.subjects import reply_prefix
from sympozium_agent.journal import JournalWriter
from sympozium_controller.identity.grants import grants_of
from sympozium_controller.identity.jwt import Signer, read_request
from sympozium_controller.identity.who import RouterIdentity, RunIdentity
from sympozium_local.demo_model.server import DemoModel
from tests.agent.pod import NAMESPACE, PATIENCE_S, RUN_UID, Pod, terminated
from tests.fixtures.nats_server import NatsServer

ROUTER, RUN = "token-of-the-router", "token-of-the-run"
MOMENT, LONG = timedelta(seconds=2), timedelta(hours=1)
MISSED = "slack:T:C:1"


class Admitting:
    """Admits the router, and a run for a moment each time, until it is kept waiting.

    Attributes:
        is_away: The run is kept waiting for its next connection.
    """

    def __init__(self, client: Client, signer: Signer) -> None:
        self._client = client
        self._signer = signer
        self._open = asyncio.Event()
        self._open.set()
        self._run_life = MOMENT
        self.is_away = asyncio.Event()

    async def start(self) -> None:
        """Answer from now on."""
        await self._client.subscribe(CALLOUT_SUBJECT, cb=self._answer)
        await self._client.flush()

    async def keep_away(self) -> None:
        """Return once the run's connection is over, and the next one waits to be admitted."""
        self._open.clear()
        async with asyncio.timeout(PATIENCE_S):
            await self.is_away.wait()

    def let_back(self) -> None:
        """Admit the run again, for as long as the test takes."""
        self._run_life = LONG
        self._open.set()

    async def _answer(self, message: Msg) -> None:
        request = read_request(message.data)
        life, grants = LONG, grants_of(RouterIdentity())
        if request.token == RUN:
            if not self._open.is_set():
                self.is_away.set()
                await self._open.wait()
            life = self._run_life
            grants = grants_of(RunIdentity(NAMESPACE, RUN_UID, "pod", "pod-1"))
        now = datetime.now(UTC)
        await message.respond(
            self._signer.admit(request, "test", grants, now=now, until=now + life)
        )


@asynccontextmanager
async def secured_pod(
    folder: Path, demo: DemoModel, server: NatsServer, admitting: Admitting
) -> AsyncIterator[Pod]:
    """Yield a pod whose bridge presents the run's token."""
    router = Address(server.url, "router", reply_prefix("router"), lambda: ROUTER)
    token_file = folder / "token"
    token_file.write_text(RUN)
    await admitting.start()
    async with connect(router) as bus:
        pod = Pod(folder, server, bus, demo)
        pod.environment["SYMPOZIUM_NATS_TOKEN_FILE"] = str(token_file)
        pod.layout.root.mkdir()
        try:
            async with pod.router():
                yield pod
        finally:
            pod.kill_all()


@pytest.fixture
async def secured_server(tmp_path: Path) -> AsyncIterator[tuple[NatsServer, Admitting]]:
    """A server with all streams that admits nobody yet, and who will have it admit."""
    folder = tmp_path / "secured"
    folder.mkdir()
    server, issuer = NatsServer(folder), new_issuer()
    access = ServerAccess(issuer.public_key, "controller", "password")
    server.config = server_config(access, port=server.port, data_dir=folder)
    prefix = reply_prefix("controller")
    own = Address(server.url, "controller", prefix, user="controller", password="password")
    await server.start()
    try:
        async with connect(own) as controller:
            await ensure_bus(controller.client)
            yield server, Admitting(controller.client, Signer(issuer.seed))
    finally:
        server.kill()


@pytest.mark.timeout(60)
async def test_nothing_said_to_a_run_or_by_it_is_lost_while_its_connection_is_renewed(
    tmp_path: Path, demo: DemoModel, secured_server: tuple[NatsServer, Admitting]
) -> None:
    server, admitting = secured_server
    async with secured_pod(tmp_path, demo, server, admitting) as pod:
        bridge = pod.start("bridge")
        await pod.until_listening()
        await admitting.keep_away()
        absorbed = Absorbed(message_id=MessageId(MISSED))
        pod.steered = [Steering(message_id=absorbed.message_id, text="also this")]
        await pod.steer(MISSED, "also this")
        admitting.let_back()
        async with asyncio.timeout(PATIENCE_S):
            while MISSED.encode() not in pod.layout.to_agent.read_bytes():  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)
        journal = JournalWriter(pod.layout.from_agent)
        journal.append(encode(absorbed))
        journal.append(encode(Result(text="done")))
        journal.close()
        assert await pod.end() == Result(text="done")
        assert await terminated(bridge) == 0
        assert pod.layout.to_agent.read_bytes().count(MISSED.encode()) == 1
        assert await pod.recorded() == [absorbed, Result(text="done")]


@pytest.mark.timeout(60)
async def test_what_a_run_says_while_its_connection_is_renewed_is_recorded_once(
    tmp_path: Path, demo: DemoModel, secured_server: tuple[NatsServer, Admitting]
) -> None:
    server, admitting = secured_server
    async with secured_pod(tmp_path, demo, server, admitting) as pod:
        bridge = pod.start("bridge")
        await pod.until_listening()
        await admitting.keep_away()
        journal = JournalWriter(pod.layout.from_agent)
        journal.append(encode(Result(text="said while it was away")))
        journal.close()
        while "bus takes nothing yet" not in pod.log_of("bridge"):  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.02)
        admitting.let_back()
        assert await pod.end() == Result(text="said while it was away")
        assert await terminated(bridge) == 0
        assert await pod.recorded() == [Result(text="said while it was away")]
