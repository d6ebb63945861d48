"""What is lost when the program, the bus or a client is lost: nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest

from sympozium.bus.admin import ensure_bus, ensure_consumer
from sympozium.bus.nats import NatsBus, connect
from sympozium.contract.envelope import wrap
from sympozium.contract.messages import InboundMessage, OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId, RunName, RunUid
from sympozium.contract.run_events import Delta
from sympozium.contract.subjects import (
    ROUTER_GROUP,
    Consumer,
    history,
    inbox_consumer,
    outbox,
    outbox_consumer,
)
from sympozium_web import events
from sympozium_web.audience import MAX_WAITING_BYTES, MAX_WAITING_EVENTS, Audience
from tests.fixtures.chat import Person, ServerSentEvent
from tests.fixtures.nats_server import NatsServer
from tests.web.parts import CHANNEL, NAMESPACE, MemoryRouter, WebProgram


@asynccontextmanager
async def router_on(server: NatsServer) -> AsyncIterator[MemoryRouter]:
    """A router from memory on a bus of its own, with all streams."""
    async with connect(server.address("router")) as bus:
        await ensure_bus(bus.client)
        for consumer in (inbox_consumer(NAMESPACE), outbox_consumer(NAMESPACE, CHANNEL)):
            await ensure_consumer(bus.client, consumer)
        async with bus.consume(inbox_consumer(NAMESPACE)) as deliveries:
            made = MemoryRouter(bus, deliveries)
            subject = history(NAMESPACE, CHANNEL)
            async with bus.respond(subject, made.answer_history, group=ROUTER_GROUP):
                yield made


async def until(stream: AsyncIterator[ServerSentEvent], *types: str) -> ServerSentEvent:
    """Return the first event of one of *types*."""
    async with asyncio.timeout(10):
        async for event in stream:
            if event.type in types:
                return event
    raise AssertionError("the stream ended")


async def test_what_a_killed_program_held_is_taken_over_at_the_start(
    nats_server: NatsServer, own_web: WebProgram
) -> None:
    consumer = outbox_consumer(NAMESPACE, CHANNEL)
    async with router_on(nats_server) as router:
        shown = OutboundMessage(
            kind=OutboundKind.ACCEPTED,
            message_id=MessageId("m"),
            conversation=ConversationId("c"),
            run_name=RunName("web-m"),
            run_uid=RunUid("uid"),
        )
        data = wrap(shown, id="m", time=datetime.now(UTC))
        await router.bus.publish(outbox(NAMESPACE, CHANNEL), data, message_id="m")
        async with router.bus.consume(consumer) as deliveries:
            await anext(deliveries)  # in the hands of one that is heard of no more
        await asyncio.to_thread(own_web.start)
        async with asyncio.timeout(consumer.ack_wait_s / 2):
            while await _deliveries_of(router.bus, consumer) < 2:  # noqa: ASYNC110 - the server's
                await asyncio.sleep(0.05)


async def _deliveries_of(bus: NatsBus, consumer: Consumer) -> int:
    info = await bus.client.jetstream().consumer_info(consumer.stream, consumer.name)
    return info.delivered.consumer_seq if info.delivered is not None else 0


async def test_an_end_that_came_while_the_program_was_dead_is_replayed_once(
    nats_server: NatsServer, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    async with router_on(nats_server) as router:
        await asyncio.to_thread(own_web.start)
        person = Person(http, own_web.url)
        async with person.events("c") as stream:
            await person.say("c", "one")
            await router.finish(await router.next_message("c"), "first answer")
            last_id = (await until(stream, "final")).id
            await person.say("c", "two")
            message = await router.next_message("c")
        own_web.kill()
        await router.finish(message, "second answer")
        await asyncio.to_thread(own_web.start)
        async with person.events("c", last_event_id=last_id) as stream:
            replayed = await until(stream, "final")
            await person.say("c", "barrier")
            await router.finish(await router.next_message("c"), "third answer")
            following = await until(stream, "final")
    assert replayed.data["text"] == "second answer"
    assert following.data["text"] == "third answer"


async def test_a_run_goes_on_being_shown_after_the_program_was_killed(
    nats_server: NatsServer, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    async with router_on(nats_server) as router:
        await asyncio.to_thread(own_web.start)
        person = Person(http, own_web.url)
        async with person.events("c") as stream:
            await person.say("c", "question")
            message = await router.next_message("c")
            uid = await router.accept(message)
            await until(stream, "running")
            await router.stream(uid, "Once ")
            await until(stream, "delta")
        own_web.kill()
        await asyncio.to_thread(own_web.start)
        async with person.events("c") as stream:
            assert (await until(stream, "running")).data["message_id"] == message.message_id
            await _until_heard(router, uid_of=message, stream=stream)
            await router.finish(message, "Once upon a time")
            assert (await until(stream, "final")).data["text"] == "Once upon a time"


async def _until_heard(
    router: MemoryRouter, uid_of: InboundMessage, stream: AsyncIterator[ServerSentEvent]
) -> None:
    """Say something until the channel, which may still be subscribing, passes it on."""
    (entry,) = [e for e in router.transcripts[uid_of.conversation] if e.id == uid_of.message_id]
    heard = asyncio.Event()

    async def listen() -> None:
        event = await until(stream, "delta")
        assert event.data["offset"] == 5
        heard.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(listen())
        while not heard.is_set():
            await router.say(entry.run_uid, Delta(text="upon ", offset=5))
            await asyncio.sleep(0.05)


async def test_without_a_bus_nothing_is_accepted_and_all_is_well_when_it_is_back(
    nats_server: NatsServer, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    async with router_on(nats_server):
        await asyncio.to_thread(own_web.start)
    url = f"{own_web.url}/api/conversations/c/messages"
    nats_server.kill()
    async with http.post(url, json={"text": "hello", "id": "m1"}) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert (await answer.json())["error"]["code"] == "bus_unavailable"
    async with http.get(f"{own_web.url}/readyz") as answer:
        assert answer.status == 503
    async with http.get(f"{own_web.url}/livez") as answer:
        assert answer.status == 200
    async with http.get(url) as answer:
        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "history_unavailable"
    await nats_server.start()
    person = Person(http, own_web.url)
    await person.say("c", "hello", client_id="m1")
    assert await asyncio.to_thread(own_web.is_ready)
    async with router_on(nats_server) as router:
        message = await router.next_message("c")
        assert message.text == "hello"
        async with person.events("c") as stream:
            await router.finish(message, "hello again")
            assert (await until(stream, "final")).data["text"] == "hello again"


async def _until_connected(bus: NatsBus, *, is_so: bool) -> None:
    """Return when a connection knows that it stands, or that it does not."""
    async with asyncio.timeout(10):
        while bus.is_connected is not is_so:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)


async def test_a_stream_outlives_the_bus(
    nats_server: NatsServer, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    async with router_on(nats_server) as router:
        await asyncio.to_thread(own_web.start)
        person = Person(http, own_web.url)
        async with person.events("c") as stream:
            await person.say("c", "question")
            message = await router.next_message("c")
            nats_server.kill()
            await _until_connected(router.bus, is_so=False)
            await nats_server.start()
            await _until_connected(router.bus, is_so=True)
            await router.finish(message, "answer")
            assert (await until(stream, "final")).data["text"] == "answer"


async def test_the_program_ends_its_streams_and_itself_when_it_is_told_to(
    nats_server: NatsServer, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    async with router_on(nats_server):
        await asyncio.to_thread(own_web.start)
        async with http.get(f"{own_web.url}/api/conversations/c/events") as stream:
            assert stream.status == 200
            code = await asyncio.to_thread(own_web.terminate)
            rest = await stream.content.read()
    assert code == 0
    assert rest.startswith(b"retry: ")
    assert "Traceback" not in own_web.log.read_text()


async def test_a_taken_port_is_told_in_one_sentence(
    nats_server: NatsServer, own_web: WebProgram
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", own_web.port))
        other.listen()
        own_web.launch()
        assert await asyncio.to_thread(own_web.wait) == 78
    last = own_web.log.read_text().splitlines()[-1]
    assert f"cannot listen on 127.0.0.1:{own_web.port}" in last
    assert "SYMPOZIUM_WEB_PORT" in last


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"SYMPOZIUM_WEB_HOST": "0.0.0.0"}, "SYMPOZIUM_WEB_TOKEN is not set"),
        ({"SYMPOZIUM_WEB_TOKEN": "short"}, "SYMPOZIUM_WEB_TOKEN cannot be used"),
        ({"SYMPOZIUM_WEB_PORT": "x", "SYMPOZIUM_LOG_LEVEL": "LOUD"}, "SYMPOZIUM_WEB_PORT is 'x'"),
        ({"SYMPOZIUM_CHANNEL_NAME": "a.b"}, "SYMPOZIUM_CHANNEL_NAME is 'a.b'"),
    ],
)
async def test_wrong_settings_are_told_in_one_sentence(
    own_web: WebProgram, environ: dict[str, str], said: str
) -> None:
    own_web.environ = environ
    own_web.launch()
    assert await asyncio.to_thread(own_web.wait) == 78
    assert said in own_web.log.read_text()


def test_a_listener_that_does_not_read_is_dropped_at_the_bound() -> None:
    audience = Audience()
    conversation = ConversationId("c")
    small = events.end(MessageId("m"), text="x", error=None, sequence=1)
    large = events.end(MessageId("m"), text="x" * MAX_WAITING_BYTES, error=None, sequence=2)
    with audience.join(conversation) as listener:
        for _ in range(MAX_WAITING_EVENTS):
            listener.put(small)
        assert not listener.is_over
        listener.put(small)
        assert listener.is_over
        assert listener.fell_behind
    with audience.join(conversation) as listener:
        listener.put(large)
        assert not listener.is_over
        listener.put(large)
        listener.put(large)
        assert listener.fell_behind


async def test_a_client_that_reads_nothing_does_not_slow_the_others(
    nats_server: NatsServer, own_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    async with router_on(nats_server) as router:
        await asyncio.to_thread(own_web.start)
        person = Person(http, own_web.url)
        request = (
            f"GET /api/conversations/c/events HTTP/1.1\r\nHost: 127.0.0.1:{own_web.port}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", own_web.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(request.encode())
            async with person.events("c") as stream:
                for number in range(30):
                    await person.say("c", f"question {number}")
                    message = await router.next_message("c")
                    await router.finish(message, f"{number}:" + "x" * 400_000)
                    event = await until(stream, "final")
                    assert event.data["text"].startswith(f"{number}:")
