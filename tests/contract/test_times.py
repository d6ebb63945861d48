import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.errors import PermanentError
from sympozium.contract.times import DURATION_PATTERN, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(minutes=90)),
        ("90s", timedelta(seconds=90)),
    ],
)
def test_a_duration_means_what_it_says(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["9" * 12 + "h", "9" * 30 + "m", "9" * 5000 + "s"])
def test_a_duration_beyond_every_calendar_is_refused(text: str) -> None:
    assert re.search(DURATION_PATTERN, text)
    with pytest.raises(PermanentError):
        parse_duration(text)


@given(text=st.text(alphabet="0123456789hms ", max_size=8))
def test_what_the_custom_resource_accepts_can_be_read_unless_it_is_zero(text: str) -> None:
    accepted = re.search(DURATION_PATTERN, text) is not None
    try:
        parse_duration(text)
    except PermanentError:
        assert not accepted or not re.search("[1-9]", text)
    else:
        assert accepted
