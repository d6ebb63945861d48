"""What every channel program does: health pages, files, the condition, start and end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import Address, NatsBus
from sympozium.chat.files import Files, fitted_name
from sympozium.chat.gate import Triggers
from sympozium.chat.health import Health, bind
from sympozium.chat.program import Office, Parts, serve_channel
from sympozium.chat.settings import ChannelSettings
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import FILE_PART_BYTES, MAX_FILE_BYTES
from sympozium.contract.messages import FileRef, InboundMessage, Sender
from sympozium.contract.subjects import inbox_consumer, outbox_consumer, reply_prefix
from sympozium.testing.nats_server import CONFIRM_WITHIN_S
from tests.chat.router_desk import RouterDesk, router_desk
from tests.chat.stage import CHANNEL, NAMESPACE, Stage, asked
from tests.chat.stand_in import StandIn
from tests.fixtures.nats_server import NatsServer, free_port


class Program:
    """A channel whose platform is in memory, served in this process."""

    def __init__(self, platform: StandIn, health_port: int) -> None:
        self.platform = platform
        self.url = f"http://127.0.0.1:{health_port}"
        self.stop = asyncio.Event()
        self.office: Office | None = None
        self.is_closed = False

    @asynccontextmanager
    async def make(self, office: Office) -> AsyncIterator[Parts]:
        self.office = office
        yield Parts(platform=self.platform, loops=(self.inbound_loop,))
        self.is_closed = True

    async def inbound_loop(self, stop: asyncio.Event) -> None:
        assert self.office is not None
        self.office.health.inbound_is_up()
        one = asked("m1")
        message = InboundMessage(
            message_id=one.id,
            conversation=one.conversation,
            sender=Sender(platform="stand-in", user_id="U1"),
            text="hello",
            time=datetime.now(UTC),
            reply_to=one.target.reply_to,
        )
        await self.office.intake.store(message)
        self.office.marks.stored(one.target)
        await stop.wait()

    async def page(self, path: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as answer:
            return answer.status, await answer.text()


def settings_for(server: NatsServer, health_port: int) -> ChannelSettings:
    prefix = reply_prefix("channel", NAMESPACE, CHANNEL)
    address = Address(server.url, "channel", prefix, confirm_within_s=CONFIRM_WITHIN_S)
    return ChannelSettings(NAMESPACE, CHANNEL, address, Triggers(), health_port=health_port)


@pytest.fixture
async def desk(bus: NatsBus) -> AsyncIterator[RouterDesk]:
    await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
    async with router_desk(bus, NAMESPACE, CHANNEL) as made:
        yield made


async def test_a_channel_hears_shows_and_stops(
    nats_server: NatsServer, bus: NatsBus, desk: RouterDesk, platform: StandIn
) -> None:
    port = free_port()
    program = Program(platform, port)
    async with asyncio.TaskGroup() as group:
        serving = serve_channel(settings_for(nats_server, port), program.stop, program.make)
        group.create_task(serving)
        async with bus.consume(inbox_consumer(NAMESPACE)) as deliveries:
            delivery = await anext(deliveries)
            await delivery.ack()
        stage = Stage(bus, desk, platform)
        await stage.accept(asked("m1"))
        await stage.finish(asked("m1"), "hello to you")
        await platform.until(lambda: platform.texts() == ["hello to you"])
        await stage.settled(2)
        assert await program.page("/livez") == (200, '{"status": "alive"}')
        assert await program.page("/readyz") == (200, '{"status": "ready"}')
        status, metrics = await program.page("/metrics")
        assert status == 200
        assert "sympozium_channel_ends_shown_total 1" in metrics
        assert "sympozium_channel_ready 1" in metrics
        assert "sympozium_channel_clock_ahead_seconds 0" in metrics
        await desk.until(lambda: desk.said() == ["Connected"])
        program.stop.set()
    assert program.is_closed


async def test_a_port_that_is_taken_is_named() -> None:
    with bind(free_port()) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PermanentError, match=f"cannot listen on port {port}: .*HEALTH_PORT"):
            bind(port)


def test_readiness_follows_the_inbound_path() -> None:
    now, is_bus_up = [100.0], [True]
    health = Health(lambda: is_bus_up[0], deaf_after_s=60.0, clock=lambda: now[0])
    assert health.missing == "the platform was not reached yet"
    health.inbound_is_up()
    assert health.missing == ""
    now[0] += 61.0
    assert health.missing == "the platform has been silent for 61 s"
    health.inbound_is_up()
    health.inbound_is_down("the socket was closed")
    assert health.missing == "the socket was closed"
    assert health.inbound_problem == ("Disconnected", "the socket was closed")
    health.inbound_is_up()
    is_bus_up[0] = False
    assert health.missing == "the bus is away"


class TestFiles:
    """Files travel by reference, and arrive as they were."""

    @pytest.fixture
    def files(self, bus: NatsBus, desk: RouterDesk) -> Files:
        return Files(bus, bus, NAMESPACE, CHANNEL)

    @pytest.mark.parametrize("size", [1, FILE_PART_BYTES, FILE_PART_BYTES + 1, 3 * FILE_PART_BYTES])
    async def test_a_file_is_read_as_it_was_put(self, files: Files, size: int) -> None:
        data = (bytes(range(256)) * (size // 256 + 1))[:size]
        ref = await files.put("pods.bin", "application/x-pods", data)
        assert (ref.name, ref.media_type, ref.size_bytes) == (
            "pods.bin",
            "application/x-pods",
            size,
        )
        assert await files.read(ref) == data

    async def test_an_empty_file_has_no_parts(self, files: Files) -> None:
        ref = await files.put("empty", "", b"")
        assert (ref.parts, ref.media_type) == (0, "application/octet-stream")
        assert await files.read(ref) == b""

    async def test_a_file_beyond_the_limit_is_refused(self, files: Files) -> None:
        with pytest.raises(PermanentError, match="cannot take a file"):
            await files.put("big", "", bytes(MAX_FILE_BYTES + 1))

    async def test_a_part_that_is_missing_is_told_for_good(self, files: Files) -> None:
        ref = FileRef(id="nowhere", owner="uid-1", name="x", size_bytes=4, parts=1)
        with pytest.raises(PermanentError, match="the file is gone"):
            await files.read(ref)

    async def test_a_file_of_another_length_is_refused(self, files: Files) -> None:
        ref = await files.put("x", "", b"four")
        wrong = FileRef(id=ref.id, owner=ref.owner, name="x", size_bytes=5, parts=1)
        with pytest.raises(PermanentError, match="has 4 bytes and should have 5"):
            await files.read(wrong)

    async def test_a_router_that_is_away_is_no_missing_file(self, bus: NatsBus) -> None:
        alone = Files(bus, bus, NAMESPACE, "nobody-answers")
        ref = FileRef(id="f", owner="uid-1", name="x", size_bytes=4, parts=1)
        with pytest.raises(TransientError):
            await alone.read(ref)


@pytest.mark.parametrize(
    ("name", "fitted"),
    [
        ("pods.txt", "pods.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\pods.txt", "pods.txt"),
        ("\u202etxt.exe\x00", "txt.exe"),
        ("..", "file"),
        ("", "file"),
        ("x" * 200 + ".tar", "x" * 116 + ".tar"),
    ],
)
def test_a_file_is_called_by_one_plain_name(name: str, fitted: str) -> None:
    assert fitted_name(name) == fitted


async def test_files_of_an_answer_follow_it(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    ref = await channel.office.files.put("pods.txt", "text/plain", b"pods")
    gone = FileRef(id="nowhere", owner="uid-1", name="lost.txt", size_bytes=4, parts=1)
    big = FileRef(id="f", owner="uid-1", name="big.bin", size_bytes=2 * 1024 * 1024, parts=8)
    await channel.finish(one, "see:", files=[gone, ref, big])
    await channel.settled(1)
    answer, notice, file = platform.seen()
    assert answer.text == "see:\n\nFile big.bin cannot be sent: it has 2.0 MiB, 1.0 MiB are taken."
    assert notice.text == "File lost.txt could not be sent. (run-m1)"
    assert (file.text, file.file) == ("pods.txt", b"pods")


async def test_a_file_alone_is_an_answer(channel: Stage) -> None:
    one, platform = asked("m1"), channel.platform
    ref = await channel.office.files.put("pods.txt", "text/plain", b"pods")
    await channel.finish(one, "", files=[ref])
    await channel.settled(1)
    assert platform.texts() == ["The answer is in what follows.", "pods.txt"]
