"""A web channel over a real bus, a router from memory, and a client."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus, connect
from sympozium.contract.subjects import ROUTER_GROUP, history, inbox_consumer, outbox_consumer
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import NatsServer
from tests.web.browser import Page, is_installed, start_browser
from tests.web.parts import CHANNEL, NAMESPACE, MemoryRouter, WebProgram


async def _prepare(server: NatsServer) -> None:
    await server.start()
    async with connect(server.address("prepare")) as bus:
        await ensure_bus(bus.client)
        for consumer in (inbox_consumer(NAMESPACE), outbox_consumer(NAMESPACE, CHANNEL)):
            await ensure_consumer(bus.client, consumer)


@pytest.fixture(scope="session")
def web_nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A bus with all streams and the channel's consumer, for all tests that leave it alive."""
    server = NatsServer(tmp_path_factory.mktemp("web-nats"))
    asyncio.run(_prepare(server))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def web(web_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProgram]:
    """A running web channel, for all tests that leave it running; each has its conversation."""
    program = WebProgram(web_nats.url, tmp_path_factory.mktemp("web") / "log")
    program.start()
    yield program
    program.terminate()


@pytest.fixture
async def web_bus(web_nats: NatsServer) -> AsyncIterator[NatsBus]:
    """A connection to the shared bus, as the router has it."""
    async with connect(web_nats.address("router")) as bus:
        yield bus


@pytest.fixture
async def router(web_bus: NatsBus) -> AsyncIterator[MemoryRouter]:
    """A router from memory on the shared bus."""
    async with web_bus.consume(inbox_consumer(NAMESPACE)) as deliveries:
        made = MemoryRouter(web_bus, deliveries)
        subject = history(NAMESPACE, CHANNEL)
        async with web_bus.respond(subject, made.answer_history, group=ROUTER_GROUP):
            yield made


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that keeps nothing between requests."""
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


@pytest.fixture
def person(http: aiohttp.ClientSession, web: WebProgram) -> Person:
    """Somebody who uses the shared channel."""
    return Person(http, web.url)


@pytest.fixture
def conversation() -> str:
    """A conversation that no other test uses."""
    return f"c-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def own_web(tmp_path: Path, nats_server: NatsServer) -> Iterator[WebProgram]:
    """A channel over a bus of its own, not started; for tests that kill something."""
    program = WebProgram(nats_server.url, tmp_path / "web.log")
    yield program
    program.kill()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """One browser for all tests; each test starts with an empty memory."""
    if not is_installed():
        pytest.skip(
            "there is no /usr/bin/chromium with chromedriver: apt-get install chromium-driver"
        )
    driver = start_browser(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture
async def page(chromium: WebDriver, web: WebProgram, router: MemoryRouter) -> AsyncIterator[Page]:
    """The chat page of the shared channel, with a router behind it."""
    opened = Page(chromium, web.url)
    await opened.forget(web.url)
    await opened.resize(1280, 800)
    await opened.complaints()
    yield opened
    await opened.leave()
