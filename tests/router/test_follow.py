from datetime import UTC, datetime, timedelta

import pytest

from sympozium.contract.messages import InboundKind, InboundMessage, Sender, VisibleError
from sympozium.contract.names import ConversationId, MessageId, RunUid
from sympozium.store.ports import End, Message
from sympozium_router.inbox.follow import Following, Thread, follow

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
ANSWERED = End(NOW - timedelta(minutes=5), "answer")
REFUSED = End(NOW, error=VisibleError(code="AccessDenied", message="no"))
FOLLOW, IGNORE, LEAVE = Following.FOLLOW, Following.IGNORE, Following.LEAVE


def said(
    user: str, *, addressed: bool = False, ago: timedelta = timedelta(), mentions: bool = False
) -> InboundMessage:
    return InboundMessage(
        message_id=MessageId("m"),
        conversation=ConversationId("c"),
        sender=Sender(platform="slack", user_id=user),
        text="and now?",
        time=NOW - ago,
        addressed=addressed,
        mentions_others=mentions,
    )


def stored(
    sequence: int,
    user: str = "ada",
    *,
    addressed: bool = True,
    ago: timedelta = timedelta(minutes=9),
    end: End | None = ANSWERED,
    run_uid: str = "u",
) -> Message:
    inbound = said(user, addressed=addressed, ago=ago)
    return Message("n", "c", inbound, sequence, NOW, run_uid=RunUid(run_uid), end=end)


@pytest.mark.parametrize(
    ("case", "inbound", "messages", "left_at", "becomes"),
    [
        ("nobody ever addressed the bot", said("ada"), [], 0, IGNORE),
        ("who was answered goes on", said("ada"), [stored(1)], 0, FOLLOW),
        ("who waits for an answer goes on", said("ada"), [stored(1, end=None)], 0, FOLLOW),
        (
            "a message that has no run yet waits too",
            said("ada"),
            [stored(1, end=None, run_uid="")],
            0,
            FOLLOW,
        ),
        (
            "who was refused takes no part",
            said("ada"),
            [stored(1, end=REFUSED, run_uid="")],
            0,
            IGNORE,
        ),
        (
            "a message that joined another one was heard",
            said("ada"),
            [stored(1, end=End(NOW, answered_with=MessageId("x")), run_uid="")],
            0,
            FOLLOW,
        ),
        ("a mention of somebody else ends it", said("ada", mentions=True), [stored(1)], 0, LEAVE),
        ("a second person who never addressed the bot ends it", said("bob"), [stored(1)], 0, LEAVE),
        (
            "a second person who addressed the bot is heard as well",
            said("bob"),
            [stored(1), stored(2, "bob")],
            0,
            FOLLOW,
        ),
        (
            "once left, the same person is not heard",
            said("ada"),
            [stored(1)],
            2,
            IGNORE,
        ),
        (
            "a mention brings the bot back",
            said("ada"),
            [stored(1), stored(3)],
            2,
            FOLLOW,
        ),
        (
            "what was followed does not bring it back",
            said("ada"),
            [stored(1), stored(3, addressed=False)],
            2,
            IGNORE,
        ),
        (
            "a thread that rested too long is not followed",
            said("ada"),
            [stored(1, ago=DAY * 2, end=End(NOW - DAY - timedelta(seconds=1), "late"))],
            0,
            IGNORE,
        ),
        (
            "the answer keeps a thread young",
            said("ada"),
            [stored(1, ago=DAY * 2, end=End(NOW - timedelta(hours=23), "late"))],
            0,
            FOLLOW,
        ),
        (
            "a message by which it was followed keeps it young",
            said("ada"),
            [stored(1, ago=DAY * 2, end=End(NOW - DAY * 2, "a")), stored(2, addressed=False)],
            0,
            FOLLOW,
        ),
        (
            "a mention of somebody else in a thread without the bot changes nothing",
            said("ada", mentions=True),
            [],
            0,
            IGNORE,
        ),
    ],
)
def test_a_message_without_a_mention(
    case: str, inbound: InboundMessage, messages: list[Message], left_at: int, becomes: Following
) -> None:
    assert follow(inbound, Thread(messages, left_at), for_=DAY) is becomes, case


def test_a_command_makes_its_sender_take_part() -> None:
    asked = said("ada", addressed=True)
    command = Message(
        "n", "c", asked, 1, NOW, end=End(NOW, "help", is_notice=True), run_uid=RunUid("")
    )
    assert asked.kind is InboundKind.MESSAGE
    assert follow(said("ada"), Thread([command]), for_=DAY) is FOLLOW
