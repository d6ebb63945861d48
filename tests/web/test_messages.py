"""From a POST to the transcript, over real HTTP and a real bus."""

import aiohttp

from sympozium.bus.nats import NatsBus
from tests.fixtures.chat import Person
from tests.web.parts import MemoryRouter, WebProgram, message_id


async def test_a_posted_message_is_in_the_inbox_with_the_owner_as_sender(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    accepted = await person.say(conversation, "which pods run here?", client_id="m1")
    message = await router.next_message(conversation)
    assert accepted == message.message_id == message_id(conversation, "m1")
    assert message.text == "which pods run here?"
    assert (message.sender.platform, message.sender.user_id) == ("web", "owner")


async def test_the_same_id_again_gives_the_same_answer_and_is_stored_once(
    person: Person, router: MemoryRouter, web_bus: NatsBus, conversation: str
) -> None:
    answers = {await person.say(conversation, "hello", client_id="m1") for _ in range(5)}
    await person.say(conversation, "the next", client_id="m2")
    assert answers == {message_id(conversation, "m1")}
    assert (await router.next_message(conversation)).text == "hello"
    assert (await router.next_message(conversation)).text == "the next"


async def test_messages_without_an_id_are_different_messages(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    first = await person.say(conversation, "same")
    second = await person.say(conversation, "same")
    assert first != second
    assert (await router.next_message(conversation)).message_id == first
    assert (await router.next_message(conversation)).message_id == second


async def test_the_transcript_has_the_fields_of_the_contract(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    await person.say(conversation, "one", client_id="m1")
    one = await router.next_message(conversation)
    await person.say(conversation, "two", client_id="m2")
    two = await router.next_message(conversation)
    await router.accept(one)
    await router.finish(one, "answer")
    await router.fail(two, "ModelTimeout", "The model did not answer (run web-x).")
    asked, failed, answer, error = await person.transcript(conversation)
    fields = {"id", "role", "text", "time", "state", "in_reply_to", "error", "choices", "files"}
    assert all(
        set(entry) == fields and entry["choices"] == [] for entry in (asked, failed, answer, error)
    )
    assert (asked["id"], asked["role"], asked["state"]) == (one.message_id, "user", "done")
    assert failed["state"] == "failed"
    assert (answer["role"], answer["text"], answer["in_reply_to"]) == (
        "assistant",
        "answer",
        one.message_id,
    )
    assert answer["error"] is None
    assert error["error"] == {
        "code": "ModelTimeout",
        "message": "The model did not answer (run web-x).",
    }


async def test_a_new_conversation_is_empty(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    assert await person.transcript(conversation) == []


async def test_a_transcript_that_cannot_be_read_says_when_to_ask_again(
    http: aiohttp.ClientSession, web: WebProgram, router: MemoryRouter, conversation: str
) -> None:
    router.history_error = "the session store is away"
    url = f"{web.url}/api/conversations/{conversation}/messages"
    async with http.get(url) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        body = await answer.json()
    assert body["error"]["code"] == "history_unavailable"
    assert "session store" not in str(body)


async def test_a_message_is_taken_while_no_router_is_there(
    person: Person, conversation: str
) -> None:
    assert await person.post(conversation, {"text": "hello", "id": "m1"}) is not None


async def test_any_text_arrives_unchanged(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    text = '  "quoted" \\ </script> \u2028 \U0001f600 \r\n\t'
    await person.say(conversation, text)
    assert (await router.next_message(conversation)).text == text


async def test_the_longest_text_is_taken_even_when_all_of_it_is_escaped(
    http: aiohttp.ClientSession, web: WebProgram, router: MemoryRouter, conversation: str
) -> None:
    escaped = '{"text": "' + "\\u0061" * 65536 + '"}'
    url = f"{web.url}/api/conversations/{conversation}/messages"
    headers = {"Content-Type": "application/json"}
    async with http.post(url, data=escaped, headers=headers) as answer:
        assert answer.status == 202
    assert (await router.next_message(conversation)).text == "a" * 65536


async def test_a_message_is_in_the_transcript_before_a_router_has_read_it(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    first = await person.say(conversation, "one", client_id="m1")
    await person.say(f"{conversation}-x", "elsewhere")
    (one,) = await person.transcript(conversation)
    assert (one["id"], one["text"], one["state"], one["error"]) == (first, "one", "stored", None)
    await router.next_message(conversation)
    await person.say(conversation, "two", client_id="m2")
    entries = await person.transcript(conversation)
    assert [entry["text"] for entry in entries] == ["one", "two"]


async def test_what_a_long_transcript_leaves_out_does_not_come_back_as_new(
    person: Person, router: MemoryRouter, conversation: str
) -> None:
    for number in range(3):
        await person.say(conversation, f"said {number}")
        await router.next_message(conversation)
    router.max_entries = 1
    assert [entry["text"] for entry in await person.transcript(conversation)] == ["said 2"]
