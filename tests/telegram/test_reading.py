"""What the channel makes of what people do."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium.chat.gate import Triggers
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import Command
from sympozium_telegram.entities import read_text
from sympozium_telegram.reading import Edited, NewMessage, Nothing, Pressed, read
from sympozium_telegram.updates import read_update
from tests.telegram.given import (
    ADA,
    GROUP,
    ME,
    OTHER_BOT,
    PRIVATE,
    TOPIC,
    US,
    command,
    entity,
    mention,
    message,
    reading,
    units,
)

BOT = f"@{ME.username}"


def new(content: dict[str, Any], triggers: Triggers | None = None) -> NewMessage:
    found = reading(content, triggers=triggers)
    assert isinstance(found, NewMessage)
    return found


def test_a_private_message_is_for_the_bot() -> None:
    found = new(message("hello", PRIVATE))
    assert (found.text, found.addressed, found.speech.place.is_direct) == ("hello", True, True)
    assert (found.speech.sender.user_id, found.speech.sender.display_name) == ("1001", "Ada")


def test_a_group_is_not_listened_to_without_a_mention() -> None:
    assert reading(message("good morning")) == Nothing()


def test_a_mention_is_found_by_its_entity_and_taken_out() -> None:
    found = new(mention(f"{BOT}, which pods run?"))
    assert (found.text, found.addressed) == ("which pods run?", True)


def test_a_name_without_an_entity_is_no_mention() -> None:
    assert reading(message(f"`{BOT}` is its name")) == Nothing()


def test_the_place_of_a_mention_counts_in_utf16_units() -> None:
    text = f"👩‍👩‍👧 𝕏 {BOT}"
    assert new(mention(text)).text == "👩‍👩‍👧 𝕏"


def test_a_mention_within_a_sentence_stays() -> None:
    text = f"ask {BOT} tomorrow"
    assert new(mention(text)).text == text


def test_a_mention_by_id_is_a_mention() -> None:
    text = "Sympozium which pods run?"
    named = entity(text, "Sympozium", "text_mention", user=US)
    assert new(message(text, entities=[named])).text == "which pods run?"


def test_the_mention_of_another_bot_with_our_name_as_its_beginning_is_not_ours() -> None:
    text = f"{BOT}2 hello"
    assert reading(message(text, entities=[entity(text, f"{BOT}2", "mention")])) == Nothing()


def test_it_is_noted_that_somebody_else_is_named() -> None:
    text = f"{BOT} ask @bob"
    found = new(mention(text, entities=[entity(text, "@bob", "mention")]))
    assert (found.text, found.mentions_others) == ("ask @bob", True)


def test_an_answer_to_the_bot_is_for_the_bot() -> None:
    replied = message("two pods", by=US, message_id=5)
    found = new(message("and now?", reply_to_message=replied))
    assert (found.addressed, found.quoted) == (True, "two pods")


def test_the_message_that_made_a_topic_is_not_answered_by_what_is_in_the_topic() -> None:
    replied = message(by=US, message_id=7, forum_topic_created={"name": "x"})
    found = new(message("hm", **TOPIC, reply_to_message=replied))
    assert (found.addressed, found.quoted) == (False, "")


def test_a_topic_may_be_followed_without_a_mention() -> None:
    found = new(message("and the second?", **TOPIC))
    assert not found.addressed
    assert (found.speech.place.thread, found.speech.reference.spot.topic) == ("7", 7)


def test_a_topic_is_not_followed_where_the_channel_does_not_want_it() -> None:
    assert reading(message("hm", **TOPIC), triggers=Triggers(follow_threads=False)) == Nothing()


def test_a_chain_of_replies_is_no_topic() -> None:
    found = new(mention(f"{BOT} hello", message_thread_id=99))
    assert (found.speech.place.thread, found.speech.reference.spot.topic) == ("", 0)


def test_every_message_of_a_group_is_heard_where_the_channel_wants_it() -> None:
    assert new(message("good morning"), Triggers(every_message=True)).addressed


@pytest.mark.parametrize("text", [f"/stop{BOT}", f"/STOP{BOT.upper()}"])
def test_a_command_that_names_the_bot_is_a_command(text: str) -> None:
    assert new(command(text)).command == Command(name="stop")


def test_a_command_of_another_bot_is_not_ours() -> None:
    assert reading(command("/stop@alerts_bot")) == Nothing()
    assert new(command("/stop@alerts_bot", PRIVATE)).command is None


def test_a_command_without_a_name_in_a_group_is_not_for_us() -> None:
    assert reading(command("/stop")) == Nothing()


def test_a_command_without_a_name_is_for_us_where_the_message_is() -> None:
    replied = message("two pods", by=US, message_id=5)
    assert new(command("/stop", reply_to_message=replied)).command == Command(name="stop")
    found = new(command("/stop", **TOPIC))
    assert (found.command, found.addressed) == (Command(name="stop"), False)


def test_a_command_of_another_bot_is_not_ours_even_in_reply_to_us() -> None:
    replied = message("two pods", by=US, message_id=5)
    assert reading(command("/stop@alerts_bot", reply_to_message=replied)) == Nothing()


def test_a_command_has_what_follows_it_as_its_arguments() -> None:
    found = new(command(f"/model{BOT} small one"))
    assert found.command == Command(name="model", arguments="small one")


def test_start_asks_for_help_whatever_it_carries() -> None:
    assert new(command("/start abc", PRIVATE)).command == Command(name="help")


def test_a_command_that_is_not_known_is_the_routers_to_answer() -> None:
    assert new(command("/frobnicate", PRIVATE)).command == Command(name="frobnicate")


def test_a_forwarded_command_is_not_given_by_who_forwards_it() -> None:
    origin = {"type": "user", "date": 1, "sender_user": {**ADA, "first_name": "Bob"}}
    found = new(command("/stop", PRIVATE, forward_origin=origin))
    assert found.command is None
    assert "forwarded" in found.quoted
    assert "Bob" in found.quoted


def test_a_forwarded_mention_calls_nobody() -> None:
    origin = {"type": "hidden_user", "date": 1, "sender_user_name": "Bob"}
    assert reading(mention(f"{BOT} hello", forward_origin=origin)) == Nothing()


def test_another_bot_is_not_heard() -> None:
    assert reading(mention(f"{BOT} hello", by=OTHER_BOT)) == Nothing()


def test_a_bot_that_is_let_in_is_heard_where_it_names_us() -> None:
    triggers = Triggers(bots={"42"})
    assert new(mention(f"{BOT} hello", by=OTHER_BOT), triggers).addressed
    assert reading(message("hello", by=OTHER_BOT), triggers=triggers) == Nothing()


def test_our_own_message_is_not_heard() -> None:
    assert reading(mention(f"{BOT} hello", by=US)) == Nothing()


def test_who_speaks_as_a_group_is_nobody_with_a_user_id() -> None:
    content = mention(f"{BOT} hello", sender_chat=GROUP)
    assert reading(content) == Nothing()
    assert new(content, Triggers(bots={"-1001"})).addressed


def test_a_display_name_gives_no_identity() -> None:
    impostor = {"id": 666, "is_bot": False, "first_name": "Ada", "username": "ada"}
    assert new(mention(f"{BOT} hi", by=impostor)).speech.sender.user_id == "666"


def test_the_bot_alone_is_asked_for_help() -> None:
    assert new(mention(BOT)).command == Command(name="help")


def test_the_bot_alone_under_a_message_is_pointed_at_it() -> None:
    found = new(mention(BOT, reply_to_message=message("disk full", message_id=3)))
    assert (found.text, found.quoted, found.command) == ("disk full", "", None)


def test_the_part_that_is_quoted_is_what_is_quoted() -> None:
    replied = message("a long story", message_id=3)
    content = mention(f"{BOT} why?", reply_to_message=replied, quote={"text": "long"})
    assert new(content).quoted == "long"


def test_the_largest_size_of_a_photo_is_wanted() -> None:
    sizes = [
        {"file_id": "s", "width": 90, "height": 90, "file_size": 10},
        {"file_id": "l", "width": 1280, "height": 720, "file_size": 9},
    ]
    found = new(message(chat=PRIVATE, photo=sizes, caption="look"))
    assert (found.text, [file.file_id for file in found.files]) == ("look", ["l"])


def test_a_voice_message_and_a_document_are_files() -> None:
    voice = {"file_id": "v", "file_unique_id": "u", "mime_type": "audio/ogg", "file_size": 5}
    assert [file.name for file in new(message(chat=PRIVATE, voice=voice)).files] == ["voice-u.ogg"]
    document = {"file_id": "d", "file_name": "a.pdf", "mime_type": "application/pdf"}
    (file,) = new(message(chat=PRIVATE, document=document)).files
    assert (file.name, file.media_type) == ("a.pdf", "application/pdf")


def test_an_animation_is_one_file() -> None:
    media = {"file_id": "g", "file_name": "a.mp4", "mime_type": "video/mp4"}
    assert len(new(message(chat=PRIVATE, animation=media, document=media)).files) == 1


def test_a_picture_of_an_album_without_words_is_not_for_the_bot_in_a_group() -> None:
    media = [{"file_id": "p"}]
    assert reading(message(photo=media, media_group_id="1")) == Nothing()
    assert new(message(chat=PRIVATE, photo=media, media_group_id="1")).files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"sticker": {"emoji": "👋"}}, "[a sticker: 👋]"),
        ({"location": {"latitude": 1.5, "longitude": 2.5}}, "[a location: 1.5, 2.5]"),
        ({"poll": {"question": "Lunch?"}}, "[a poll: Lunch?]"),
        ({"contact": {"first_name": "Bo", "phone_number": "1"}}, "[a contact: Bo, 1]"),
    ],
)
def test_what_has_no_words_is_said_in_words(content: dict[str, Any], words: str) -> None:
    assert new(message(chat=PRIVATE, **content)).text == words


def test_a_service_message_is_nothing() -> None:
    assert reading(message(chat=PRIVATE, new_chat_title="x")) == Nothing()
    assert reading(message(migrate_to_chat_id=-5)) == Nothing()


def test_an_edit_says_what_the_message_says_now() -> None:
    found = reading(mention(f"{BOT} pod b", edit_date=1_760_000_100), "edited_message")
    assert isinstance(found, Edited)
    assert found.text == "pod b"
    assert found.speech.time.timestamp() == 1_760_000_100


def test_a_pressed_button_is_by_who_pressed_it() -> None:
    under = message("Which?", by=US, **TOPIC)
    query = {"id": "q1", "from": {"id": 1002, "first_name": "Bob"}, "message": under, "data": "c:x"}
    found = reading(query, "callback_query")
    assert isinstance(found, Pressed)
    assert (found.speech.sender.user_id, found.data) == ("1002", "c:x")
    assert found.speech.reference.is_ours
    assert found.speech.reference.spot.topic == 7


def test_a_button_without_a_message_is_let_go() -> None:
    found = reading({"id": "q1", "from": ADA, "inline_message_id": "i"}, "callback_query")
    assert found == Nothing("q1")


def test_an_update_of_a_kind_that_is_not_known_is_nothing() -> None:
    assert reading({"anything": 1}, "message_reaction_count") == Nothing()


@pytest.mark.parametrize(
    "raw",
    [
        "text",
        [],
        {"update_id": "1"},
        {"update_id": 1, "message": {"message_id": "x"}},
        {"update_id": 1, "message": message(entities=[{"type": 1}])},
        {"update_id": 1, "callback_query": {"id": 1}},
    ],
)
def test_what_is_no_update_is_refused_without_its_content(raw: object) -> None:
    with pytest.raises(PermanentError, match="cannot read an update"):
        read_update(raw)


def test_half_of_a_surrogate_pair_can_be_stored() -> None:
    content = message("bad \ud83d text", PRIVATE)
    content["from"] = {**ADA, "first_name": "A\udc00"}
    found = new(content)
    assert (found.text, found.speech.sender.display_name) == ("bad ? text", "A?")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["update_id", "message", "chat", "from", "id", "text", "entities", "type"]
            )
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(raw=JSON)
def test_anything_that_may_come_is_read_or_refused(raw: object) -> None:
    try:
        read(read_update(raw), ME, Triggers())
    except PermanentError:
        return


@settings(max_examples=150, deadline=None)
@given(
    before=st.text(max_size=12),
    after=st.text(max_size=12),
    extra=st.integers(min_value=-3, max_value=40),
)
def test_any_entity_can_be_read(before: str, after: str, extra: int) -> None:
    text = f"{before}{BOT}{after}".encode("utf-8", "replace").decode()
    content = mention(text)
    content["entities"].append({"type": "mention", "offset": extra, "length": units(text) + extra})
    content["entities"].append({"type": "bot_command", "offset": 0, "length": extra})
    update = read_update({"update_id": 1, "message": content})
    assert update.message is not None
    read_text(update.message.words, update.message.marks, ME)
