import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sympozium.chat.markup.clusters import clusters, display_width
from sympozium.chat.markup.length import LengthUnit, Limit, measure


@pytest.mark.parametrize(
    "character",
    [
        "a",
        "é",
        "e\u0301\u0323",
        "👩‍👩‍👧‍👦",
        "👍🏽",
        "🇩🇪",
        "❤️",
        "1️⃣",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "각",
        "\u1100\u1161\u11a8",
        "@\u2060",
        "𠜎",
    ],
)
def test_what_a_reader_takes_for_one_character_is_not_cut(character: str) -> None:
    assert list(clusters(f"x{character}字{character}y")) == ["x", character, "字", character, "y"]


def test_flags_are_pairs() -> None:
    assert list(clusters("🇩🇪🇫🇷🇮")) == ["🇩🇪", "🇫🇷", "🇮"]


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=40))
def test_characters_join_back_to_the_text(text: str) -> None:
    assert "".join(clusters(text)) == text


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("状態", 4), ("é", 1), ("e\u0301", 1), ("😀", 2), ("👩‍👩‍👧‍👦", 2), ("🇩🇪", 2),
     ("❤️", 2),     ("ｗ", 2), ("\u200bab", 2)],
)  # fmt: skip
def test_width_counts_columns(text: str, columns: int) -> None:
    assert display_width(text) == columns


@pytest.mark.parametrize(
    ("unit", "length"),
    [(LengthUnit.CODE_POINTS, 3), (LengthUnit.UTF16, 4), (LengthUnit.BYTES, 7)],
)
def test_length_is_counted_in_the_unit_of_the_platform(unit: LengthUnit, length: int) -> None:
    assert measure("aé😀", unit) == length


def test_a_limit_too_small_for_markup_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot split answers at 199"):
        Limit(199, LengthUnit.UTF16)
