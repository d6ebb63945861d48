"""Commands in the web chat, and the ends that are no answer of an agent."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.contract.messages import Choice, Command, EntryState, FileRef, InboundKind
from tests.fixtures.chat import Person, ServerSentEvent
from tests.web.browser import Page
from tests.web.parts import MemoryRouter, replace_entry
from tests.web.test_events import until
from tests.web.test_page import ANSWER, STATE, ask

STOP = "document.querySelector('.exchange[data-state=running] .stop')"
FILE = FileRef(
    id="f", owner="run", name="pods.csv", media_type="text/csv", size_bytes=2048, parts=1
)


async def end(events: AsyncIterator[ServerSentEvent]) -> ServerSentEvent:
    """Return the next event that ends a message."""
    return (await until(events, "final", "error", "joined", "dropped"))[-1]


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!stop web-abc", Command(name="stop", arguments="web-abc")),
        ("/help", Command(name="help")),
        ("  !Model small one ", Command(name="model", arguments="small one")),
    ],
)
async def test_a_message_that_begins_with_a_known_word_is_a_command(
    person: Person, router: MemoryRouter, conversation: str, text: str, command: Command
) -> None:
    await person.say(conversation, text)
    message = await router.next_message(conversation)
    assert (message.kind, message.command) == (InboundKind.COMMAND, command)
    assert message.text == text


@pytest.mark.parametrize("text", ["/etc is full", "!important", "stop", "! stop", "what is !stop?"])
async def test_any_other_message_is_for_the_agent(
    person: Person, router: MemoryRouter, conversation: str, text: str
) -> None:
    await person.say(conversation, text)
    message = await router.next_message(conversation)
    assert (message.kind, message.command) == (InboundKind.MESSAGE, None)
    assert message.place.is_direct


async def test_a_message_answered_with_another_ends_by_naming_it(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "first", client_id="m1")
        await person.say(conversation, "second", client_id="m2")
        first = await router.next_message(conversation)
        second = await router.next_message(conversation)
        await router.finish(first, "both")
        assert (await end(events)).data["text"] == "both"
        sequence = await router.join(second, first)
        joined = await end(events)
    assert (joined.type, joined.id) == ("joined", str(sequence))
    assert joined.data == {
        "message_id": second.message_id,
        "answered_with": first.message_id,
    }
    states = {entry["id"]: entry["state"] for entry in await person.transcript(conversation)}
    assert states[second.message_id] == "done"


async def test_a_message_that_needs_no_answer_ends_without_one(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "never mind")
        message = await router.next_message(conversation)
        await router.drop(message)
        dropped = await end(events)
    assert (dropped.type, dropped.data) == ("dropped", {"message_id": message.message_id})


async def test_what_may_be_picked_is_written_out_as_one_would_write_it(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "!model")
        choice = Choice(label="Small", command=Command(name="model", arguments="small"))
        await router.notify(await router.next_message(conversation), "Which one?", choice)
        said = await end(events)
    assert said.data["text"] == "Which one?\n\n* Small: `!model small`"


async def test_files_are_named_where_they_belong(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    named = {"name": "pods.csv", "media_type": "text/csv", "size_bytes": 2048}
    async with person.events(conversation) as events:
        await person.say(conversation, "as a file, please")
        await router.notify(await router.next_message(conversation), "Here.", files=[FILE])
        assert (await end(events)).data["files"] == [named]
    entries = router.transcripts[next(iter(router.transcripts))]
    entries[0] = replace_entry(entries[0], files=[FILE])
    (asked,) = await person.transcript(conversation)
    assert asked["files"] == [named]


async def test_the_stop_button_asks_for_an_end_of_the_run(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "count to a million")
    message = await router.next_message(conversation)
    uid = await router.accept(message)
    await page.until(f"{STOP}?.checkVisibility()")
    assert await page.ask(f"{STOP}.getAttribute('aria-label')") == (
        "Stop working on: count to a million"
    )
    await page.ask(f"{STOP}.click()")
    await page.until(f"{STOP}.disabled && {STOP}.innerText === 'Stopping…'")
    asked = await router.next_message(conversation)
    assert asked.command == Command(name="stop", arguments=f"web-{uid}")
    await router.fail(message, "Cancelled", "It was stopped. (web-1)")
    await router.notify(asked, "Stopped one run.")
    await page.until(f"{ANSWER} === 'Stopped one run.'")
    await page.until("document.querySelector('.exchange .state').className === 'state failed'")
    assert await page.complaints() == []


async def test_the_page_says_with_which_message_another_was_answered(
    page: Page, router: MemoryRouter, conversation: str
) -> None:
    await page.open(conversation)
    await ask(page, "which pods?")
    first = await router.next_message(conversation)
    await ask(page, "and jobs?")
    second = await router.next_message(conversation)
    await router.finish(first, "Pods and jobs.")
    await router.join(second, first)
    note = "document.querySelector('.exchange:last-child .note')?.innerText"
    await page.until(f"{note} === 'Answered together with “which pods?”.'")
    assert await page.ask(STATE) == "state done"
    await page.reload()
    await page.until(f"{note} === 'Answered together with another message.'")


async def test_the_page_names_files(page: Page, router: MemoryRouter, conversation: str) -> None:
    await page.open(conversation)
    await ask(page, "as a file, please")
    await router.notify(await router.next_message(conversation), "Here.", files=[FILE])
    shown = "document.querySelector('.answer .files')?.innerText"
    await page.until(f"{shown} === 'pods.csv (2 KiB)'")


async def test_a_message_answered_with_another_is_followed_no_more(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    await person.say(conversation, "first", client_id="m1")
    await person.say(conversation, "second", client_id="m2")
    first = await router.next_message(conversation)
    second = await router.next_message(conversation)
    await router.accept(first)
    await router.accept(second)
    router._change(second, state=EntryState.DONE)
    async with person.events(conversation) as events, asyncio.timeout(10):
        seen = await until(events, "running")
    assert {event.data["message_id"] for event in seen if event.data} == {first.message_id}
