"""The event stream: what happens, in order, each end once, across lost connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import encode
from sympozium.contract.queued import Queued
from sympozium.contract.run_events import Delta, Started, Waiting
from sympozium.contract.subjects import queued
from tests.fixtures.chat import Person, ServerSentEvent
from tests.web.parts import (
    CHANNEL,
    NAMESPACE,
    STARTED,
    MemoryRouter,
    WebProgram,
    message_id,
    tool,
)

Events = AsyncIterator[ServerSentEvent]


async def until(events: Events, *types: str) -> list[ServerSentEvent]:
    """Return events up to the first of one of *types*."""
    seen = []
    async with asyncio.timeout(10):
        async for event in events:
            seen.append(event)
            if event.type in types:
                return seen
    raise AssertionError(f"the stream ended after {seen}")


def named(events: list[ServerSentEvent]) -> list[str]:
    return [event.type for event in events]


async def test_a_message_is_followed_from_stored_to_final(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "which pods?", client_id="m1")
        message = await router.next_message(conversation)
        seen = await until(events, "stored")
        uid = await router.accept(message)
        seen += await until(events, "running")
        await router.say(uid, STARTED, tool("started"), tool("done"))
        await router.stream(uid, "There ", "is ", "one.")
        for _ in range(3):
            seen += await until(events, "delta")
        sequence = await router.finish(message, "There is one.")
        seen += await until(events, "final")
    assert named(seen) == [
        "stored", "running", "running", "progress", "progress", "delta", "delta", "delta", "final",
    ]  # fmt: skip
    assert {event.data["message_id"] for event in seen} == {message.message_id}
    assert seen[0].data["text"] == "which pods?"
    assert [event.data["state"] for event in seen if event.type == "progress"] == [
        "started",
        "done",
    ]
    deltas = [(event.data["offset"], event.data["text"]) for event in seen if event.type == "delta"]
    assert deltas == [(0, "There "), (6, "is "), (9, "one.")]
    assert (seen[-1].data["text"], seen[-1].id) == ("There is one.", str(sequence))


async def test_a_failure_is_one_error_event(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "hello")
        message = await router.next_message(conversation)
        sequence = await router.fail(message, "ModelTimeout", "The model did not answer.")
        (*_, error) = await until(events, "error", "final")
    assert error.data["error"] == {"code": "ModelTimeout", "message": "The model did not answer."}
    assert error.id == str(sequence)


async def test_the_same_id_again_is_not_shown_as_stored_again(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        for client_id in ("m1", "m1", "m1", "m2"):
            await person.say(conversation, "hello", client_id=client_id)
        seen = await until(events, "stored") + await until(events, "stored")
    assert [event.data["message_id"] for event in seen] == [
        message_id(conversation, "m1"),
        message_id(conversation, "m2"),
    ]


async def test_a_resumed_stream_replays_the_ends_it_missed_in_order(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    sequences = []
    for number in range(4):
        await person.say(conversation, f"question {number}")
        message = await router.next_message(conversation)
        sequences.append(await router.finish(message, f"answer {number}"))
    after = str(sequences[1])
    async with person.events(conversation, last_event_id=after) as events:
        replayed = await until(events, "final") + await until(events, "final")
        await person.say(conversation, "last")
        last = await router.next_message(conversation)
        await router.finish(last, "last answer")
        live = await until(events, "final")
    assert [(event.id, event.data["text"]) for event in replayed] == [
        (str(sequences[2]), "answer 2"),
        (str(sequences[3]), "answer 3"),
    ]
    assert live[-1].data["text"] == "last answer"
    assert named(live).count("final") == 1


async def test_a_stream_says_at_once_from_where_it_can_be_resumed(
    http: aiohttp.ClientSession,
    web: WebProgram,
    person: Person,
    router: MemoryRouter,
    conversation: str,
) -> None:
    await person.say(conversation, "question")
    sequence = await router.finish(await router.next_message(conversation), "answer")
    url = f"{web.url}/api/conversations/{conversation}/events"
    async with http.get(url) as response:
        async with asyncio.timeout(5):
            while (line := (await response.content.readline()).decode()) != f"id: {sequence}\n":
                assert response.content.at_eof() is False, line
    await person.say(conversation, "while away")
    await router.finish(await router.next_message(conversation), "missed answer")
    async with person.events(conversation, last_event_id=str(sequence)) as events:
        (event,) = await until(events, "final")
    assert event.data["text"] == "missed answer"


async def test_an_end_whose_sequence_is_not_recorded_yet_is_not_lost(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    await person.say(conversation, "question")
    message = await router.next_message(conversation)
    sequence = await router.finish(message, "answer")
    entries = router.transcripts[message.conversation]
    async with person.events(conversation) as events:  # so that the channel has handled it
        await person.say(conversation, "barrier")
        barrier = await router.next_message(conversation)
        await router.finish(barrier, "done")
        await until(events, "final")
    entries[1] = type(entries[1])(
        **{name: getattr(entries[1], name) for name in entries[1].__struct_fields__}
        | {"sequence": 0}
    )
    async with person.events(conversation, last_event_id=str(sequence - 1)) as events:
        replayed = await until(events, "final") + await until(events, "final")
    assert (replayed[0].data["text"], replayed[0].id) == ("answer", str(sequence))


async def test_who_comes_in_the_middle_of_an_answer_is_told_what_was_said(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as first:
        await person.say(conversation, "question")
        message = await router.next_message(conversation)
        uid = await router.accept(message)
        await until(first, "running")
        await router.say(uid, tool("started"))
        await router.stream(uid, "Once ", "upon ")
        await until(first, "delta")
        await until(first, "delta")
        async with person.events(conversation) as second:
            seen = await until(second, "delta")
            await router.say(uid, Delta(text="a time", offset=10))
            seen += await until(second, "delta")
    assert named(seen) == ["running", "progress", "delta", "delta"]
    assert (seen[2].data["offset"], seen[2].data["text"]) == (0, "Once upon ")
    assert (seen[3].data["offset"], seen[3].data["text"]) == (10, "a time")


async def test_who_waits_is_told_how_many_come_first_and_who_comes_later_too(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as first:
        await person.say(conversation, "question")
        uid = await router.accept(await router.next_message(conversation))
        await until(first, "running")
        await router.say(uid, Waiting(before=3, for_capacity=True))
        told = (await until(first, "waiting"))[-1].data
        assert (told["before"], told["for_capacity"]) == (3, True)
        async with person.events(conversation) as second:
            assert named(await until(second, "waiting")) == ["running", "waiting"]
            await router.say(uid, Started())
            await until(second, "running")
        async with person.events(conversation) as third:
            await until(third, "running")
            await router.say(uid, tool("started"))
            assert named(await until(third, "progress")) == ["progress"]


async def test_an_answer_that_starts_anew_replaces_what_was_said(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as first:
        await person.say(conversation, "question")
        uid = await router.accept(await router.next_message(conversation))
        await until(first, "running")
        await router.stream(uid, "I will look.")
        await router.stream(uid, "There are two.")
        await until(first, "delta")
        await until(first, "delta")
        async with person.events(conversation) as second:
            seen = await until(second, "delta")
    assert seen[-1].data["text"] == "There are two."


async def test_a_stream_opened_while_no_transcript_can_be_had_catches_up_later(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    await person.say(conversation, "question")
    message = await router.next_message(conversation)
    router.history_error = "away"
    async with person.events(conversation, last_event_id="1") as events:
        await router.finish(message, "answer")
        router.history_error = ""
        seen = await until(events, "final")
    assert [event.data["text"] for event in seen] == ["answer"]


async def test_twenty_streams_of_a_conversation_see_the_same(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(person.events(conversation)) for _ in range(20)]
        await person.say(conversation, "question")
        message = await router.next_message(conversation)
        uid = await router.accept(message)
        await router.stream(uid, "to ", "all")
        await router.finish(message, "to all")
        seen = [await until(stream, "final") for stream in streams]
    ends = {(events[-1].id, events[-1].data["text"]) for events in seen}
    assert len(ends) == 1
    assert {named(events).count("final") for events in seen} == {1}


async def test_conversations_do_not_hear_each_other(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(f"{conversation}-other") as other:
        await person.say(conversation, "here")
        await router.finish(await router.next_message(conversation), "not for the other")
        await person.say(f"{conversation}-other", "barrier")
        (event,) = await until(other, "stored")
    assert event.data["text"] == "barrier"


async def test_an_end_that_is_delivered_twice_is_shown_once(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "question")
        message = await router.next_message(conversation)
        await router.finish(message, "answer")
        stored = await router.bus.last("OUTBOX", "outbox.default.web")
        assert stored is not None
        await router.publish_raw(stored.data, message_id=f"{conversation}-once-more")
        await person.say(conversation, "barrier")
        await router.finish(await router.next_message(conversation), "end")
        seen = await until(events, "final") + await until(events, "final")
    assert [event.data["text"] for event in seen if event.type == "final"] == ["answer", "end"]


async def test_what_is_no_outbound_message_is_set_aside_and_stops_nothing(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await router.publish_raw(b"not an envelope", message_id=f"{conversation}-bad")
        await person.say(conversation, "question")
        await router.finish(await router.next_message(conversation), "answer")
        (*_, final) = await until(events, "final")
    assert final.data["text"] == "answer"
    kept = await router.bus.last("DEAD", "dead.OUTBOX.default.web")
    assert kept is not None
    assert kept.data == b"not an envelope"


@pytest.mark.parametrize("bad", ["-1", "x", "1" * 30, "١"])
async def test_a_last_event_id_that_no_event_had_is_refused(
    http: aiohttp.ClientSession, web: WebProgram, conversation: str, bad: str
) -> None:
    url = f"{web.url}/api/conversations/{conversation}/events"
    async with http.get(url, headers={"Last-Event-ID": bad}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "bad_last_event_id"


async def test_whoever_looks_is_told_that_a_message_waits_until_there_is_a_run(
    person: Person, router: MemoryRouter, web_bus: NatsBus, conversation: str
) -> None:
    async with person.events(conversation) as events:
        await person.say(conversation, "hello?")
        message = await router.next_message(conversation)
        await until(events, "stored")
        waits = Queued(message_id=message.message_id, conversation=message.conversation)
        await web_bus.send(queued(NAMESPACE, CHANNEL), encode(waits))
        (waiting,) = await until(events, "waiting")
        assert waiting.data["queued"] is True
        await router.accept(message)
        await until(events, "running")
        await web_bus.send(queued(NAMESPACE, CHANNEL), encode(waits))  # by who did not know it
        await router.finish(message, "Hello.")
        assert named(await until(events, "final")) == ["final"]
