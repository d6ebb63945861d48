"""Nobody may speak who is not named."""

import pytest

from sympozium.chat.access import may_speak
from sympozium.contract.channel import Access
from sympozium.contract.messages import Place, Sender

ANN = Sender(platform="slack", user_id="U1", workspace="T1", display_name="*", groups=["S1"])
GENERAL = Place(chat="C1")


@pytest.mark.parametrize(
    "access",
    [
        Access(users=["U1"]),
        Access(users=["*"]),
        Access(groups=["S9", "S1"]),
        Access(chats=["C1"]),
        Access(chats=["T1"]),
    ],
)
def test_who_is_named_by_id_group_or_chat_may_speak(access: Access) -> None:
    assert may_speak(ANN, GENERAL, access)


@pytest.mark.parametrize(
    "access",
    [
        Access(),
        Access(users=["U2"]),
        Access(users=["Ann", ""]),
        Access(groups=["*"]),
        Access(chats=["*"]),
        Access(groups=["U1"], chats=["S1"]),
    ],
)
def test_who_is_not_named_may_not_speak(access: Access) -> None:
    assert not may_speak(ANN, GENERAL, access)


def test_a_name_that_is_shown_gives_no_access() -> None:
    called_star = Sender(platform="slack", user_id="U5", display_name="U1")
    assert not may_speak(called_star, GENERAL, Access(users=["U1"]))


def test_who_has_no_id_is_nobody_even_where_everyone_may_speak() -> None:
    nobody = Sender(platform="telegram", user_id="", groups=["S1"])
    everyone = Access(users=["*", ""], groups=["S1"], chats=["C1"])
    assert not may_speak(nobody, GENERAL, everyone)


def test_an_empty_id_of_a_group_or_chat_fits_nothing() -> None:
    sender = Sender(platform="discord", user_id="U1", groups=[""])
    assert not may_speak(sender, Place(), Access(groups=[""], chats=[""]))
