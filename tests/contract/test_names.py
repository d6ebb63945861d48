import re

from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.limits import MAX_NAME_CHARS
from sympozium.contract.names import (
    ConversationId,
    MessageId,
    RunName,
    conversation_label,
    is_conversation_id,
    is_subject_token,
    reference_of,
    run_name,
    short_hash,
)

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
channel_names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)


@given(channel=channel_names, message_id=st.text(min_size=1))
def test_a_run_name_is_a_dns_label_that_the_bus_takes_too(channel: str, message_id: str) -> None:
    name = run_name(channel, MessageId(message_id))
    assert DNS_LABEL.fullmatch(name)
    assert len(name) <= MAX_NAME_CHARS
    assert is_subject_token(name)


@given(channel=channel_names, message_id=st.text(min_size=1))
def test_the_same_message_has_the_same_run_name(channel: str, message_id: str) -> None:
    assert run_name(channel, MessageId(message_id)) == run_name(channel, MessageId(message_id))


@given(channel=channel_names, message_id=st.text(min_size=1))
def test_what_is_quoted_of_a_message_is_found_in_the_name_of_its_run(
    channel: str, message_id: str
) -> None:
    id_ = MessageId(message_id)
    without_run, name = reference_of(RunName(""), id_), run_name(channel, id_)
    assert reference_of(name, id_) == name
    assert name.endswith(f"-{without_run}")
    assert len(without_run) == 10


def test_ten_thousand_messages_have_ten_thousand_run_names() -> None:
    names = {run_name("web", MessageId(f"web:default/web:c:{n}")) for n in range(10_000)}
    assert len(names) == 10_000


@given(parts=st.lists(st.text(), min_size=2, max_size=4))
def test_where_a_part_ends_matters_to_a_hash(parts: list[str]) -> None:
    assert short_hash(*parts) != short_hash("".join(parts))


@given(channel=channel_names, conversation=st.text(max_size=64))
def test_a_conversation_label_is_a_label_value(channel: str, conversation: str) -> None:
    assert re.fullmatch(r"[a-z2-7]{10}", conversation_label(channel, ConversationId(conversation)))


@given(text=st.text())
def test_a_conversation_name_fits_a_url_path_segment(text: str) -> None:
    if is_conversation_id(text):
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text)
        assert text not in {".", ".."}
