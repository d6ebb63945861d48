"""Having a message tried again that was set aside: over HTTP and on the page."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import decode, encode
from sympozium.contract.messages import Choice, Command, InboundKind, InboundMessage
from sympozium.contract.operate import DEAD_LETTERS, Action, DeadAnswer, DeadRequest
from sympozium.contract.resources import AGENT_RUNS, CHANNELS
from sympozium.contract.subjects import INBOX, dead, outbox_consumer
from tests.dead.letters import STUMBLE, Stumbling, letters_under
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import NatsServer
from tests.router.routed import World, a_world, channel, routing, until
from tests.web.browser import Page
from tests.web.parts import NAMESPACE, MemoryRouter, WebProgram
from tests.web.test_events import until as until_event
from tests.web.test_page import ask

RETRY = Choice(label="Retry", command=Command(name="retry", arguments="abc"))
SENTENCE = "Something went wrong on our side, so it is set aside. (abc)"
BUTTONS = "[...document.querySelectorAll('.problem button')].map((one) => one.innerText).join()"
PICTURE = (
    "[...document.querySelectorAll('.said, .prose, .tried-again')]"
    ".filter((one) => one.checkVisibility() && one.innerText)"
    ".map((one) => one.innerText).join(' | ')"
)

CHAT = "page"
"""A channel beside `web`, whose ends the test itself takes."""


async def test_what_may_be_picked_below_an_error_is_a_message_to_post(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "hello", client_id="m1")
        await router.fail(await router.next_message(conversation), "SetAside", SENTENCE, RETRY)
        *_, error = await until_event(events, "error")
    async with person.events(conversation, last_event_id="0") as events:
        *_, replayed = await until_event(events, "error")
    (_, entry) = await person.transcript(conversation)
    (choice,) = error.data["choices"]
    assert (choice["label"], choice["text"]) == ("Retry", "!retry abc")
    assert replayed.data["choices"] == entry["choices"] == [choice]
    picked = [
        await person.say(conversation, choice["text"], client_id=choice["id"]) for _ in range(2)
    ]
    message = await router.next_message(conversation)
    assert picked == [message.message_id] * 2
    assert (message.kind, message.command) == (InboundKind.COMMAND, RETRY.command)


async def test_what_may_be_picked_below_an_answer_is_in_the_transcript_too(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    await person.say(conversation, "!model")
    small = Choice(label="Small", command=Command(name="model", arguments="small"))
    message = await router.next_message(conversation)
    await router.finish(message, "Which one?", small)
    async with person.events(conversation, last_event_id="0") as events:
        *_, replayed = await until_event(events, "final")
    (_, entry) = await person.transcript(conversation)
    assert entry["text"] == replayed.data["text"] == "Which one?\n\n* Small: `!model small`"
    assert entry["choices"] == []


async def fail(page: Page, router: MemoryRouter, conversation: str) -> InboundMessage:
    """Have a message set aside, and one after it answered; return the first."""
    await ask(page, "hello")
    failed = await router.next_message(conversation)
    await router.fail(failed, "SetAside", SENTENCE, RETRY)
    await page.until(f"{BUTTONS} === 'Retry'")
    await ask(page, "later")
    await router.finish(await router.next_message(conversation), "later answer")
    await page.until(f"{PICTURE} === 'hello | later | later answer'")
    return failed


async def test_retry_has_the_message_tried_again_and_the_answer_stands_below_it(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    failed = await fail(page, router, conversation)
    await page.ask("document.querySelector('.pick').click()")
    pressed = await router.next_message(conversation)
    assert pressed.command == RETRY.command
    await page.until(f"{BUTTONS} === 'Retry…' && document.querySelector('.pick').disabled")
    again = router.try_again(failed)
    uid = await router.accept(again)
    await router.drop(pressed)
    await router.stream(uid, "here")
    await page.until(f"{PICTURE} === 'hello | Tried again | here | later | later answer'")
    assert await page.ask(BUTTONS) == ""
    await router.finish(again, "here it is")
    done = "hello | Tried again | here it is | later | later answer"
    await page.until(f"{PICTURE} === '{done}'")
    assert await page.complaints() == []
    await page.reload()
    await page.until(f"{PICTURE} === '{done}'")
    assert await page.ask(BUTTONS) == ""


async def test_why_nothing_is_tried_again_is_said_below_the_message(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await fail(page, router, conversation)
    await page.click(".pick")
    pressed = await router.next_message(conversation)
    await router.finish(pressed, "This message was tried too often.")
    said = "document.querySelector('.problem').innerText.includes('tried too often')"
    for _ in range(2):
        await page.until(f"{said} && {BUTTONS} === 'Retry'")
        assert await page.ask(PICTURE) == "hello | later | later answer"
        await page.reload()


async def test_a_retry_that_was_not_stored_can_be_pressed_again(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await fail(page, router, conversation)
    await page.ask("(window.realFetch = fetch, window.fetch = async () => { throw new Error() })")
    await page.click(".pick")
    await page.until("document.querySelector('.problem').innerText.includes('cannot be reached')")
    await page.ask("window.fetch = window.realFetch")
    await page.until(f"{BUTTONS} === 'Retry'")
    await page.click(".pick")
    assert (await router.next_message(conversation)).command == RETRY.command


@pytest.fixture
async def real_web(tmp_path: Path, nats_server: NatsServer) -> AsyncIterator[WebProgram]:
    """A channel of its own, to be started, that a real router serves."""
    environ = {"SYMPOZIUM_CHANNEL_NAME": CHAT}
    program = WebProgram(nats_server.url, tmp_path / "web.log", environ=environ)
    yield program
    program.kill()


async def set_aside(world: World, person: Person, web: WebProgram) -> str:
    """Have a message meet a bug until it is given up; return its id."""
    await ensure_consumer(world.bus.client, outbox_consumer(NAMESPACE, CHAT))
    await world.kube.create(CHANNELS, channel(CHAT))
    web.start()
    async with routing(world, reception_type=Stumbling):
        failed = await person.say("c", STUMBLE)
        await until(lambda: letters_under(world.bus, dead(INBOX, NAMESPACE, CHAT)))
    return failed


async def dead_letters(bus: NatsBus) -> int:
    """Return how many dead letters an operator is shown."""
    request = encode(DeadRequest(action=Action.LIST))
    return len(decode(await bus.request(DEAD_LETTERS, request, timeout_s=5), DeadAnswer).letters)


@pytest.mark.timeout(60)
async def test_a_retry_picked_twice_gives_one_run_and_no_dead_letter_is_left(
    tmp_path: Path, bus: NatsBus, real_web: WebProgram, http: aiohttp.ClientSession
) -> None:
    person = Person(http, real_web.url)
    async with a_world(tmp_path, bus) as world:
        failed = await set_aside(world, person, real_web)
        async with world.router():
            was_dead = await dead_letters(bus)
            (choice,) = (await person.end_of("c", failed))["choices"]
            for _ in range(2):
                await person.say("c", choice["text"], client_id=choice["id"])
            await person.end_of("c", await person.say("c", "!help"))  # what was picked is handled
            is_dead = await dead_letters(bus)
            await world.end_run(await world.run_of(f"{failed}~1", CHAT), result="here it is")
            answer = await person.end_of("c", f"{failed}~1")
            runs = (await world.kube.list(AGENT_RUNS)).items
            transcript = await person.transcript("c")
    said = [entry["text"] for entry in transcript if entry["role"] == "user"]
    assert (was_dead, is_dead, len(runs)) == (1, 0, 1)
    assert (answer["text"], said) == ("here it is", [STUMBLE, STUMBLE, "!help"])


@pytest.mark.timeout(60)
async def test_the_page_has_a_real_router_try_again(
    tmp_path: Path,
    bus: NatsBus,
    real_web: WebProgram,
    http: aiohttp.ClientSession,
    chromium: WebDriver,
) -> None:
    page = Page(chromium, real_web.url)
    async with a_world(tmp_path, bus) as world:
        failed = await set_aside(world, Person(http, real_web.url), real_web)
        async with world.router():
            await page.open("c")
            await page.until(f"{BUTTONS} === 'Retry'")
            await page.click(".pick")
            await world.end_run(await world.run_of(f"{failed}~1", CHAT), result="here it is")
            await page.until(f"{PICTURE} === '{STUMBLE} | Tried again | here it is'")
            runs = (await world.kube.list(AGENT_RUNS)).items
        await page.leave()
    assert [run["spec"]["task"] for run in runs] == [STUMBLE]
