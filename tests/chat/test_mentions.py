"""What calls the bot is taken out of the task, what speaks of it stays."""

import pytest

from sympozium.chat.mentions import strip_mention

FORMS = ("<@U1>", "@helper_bot")


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("<@U1> which pods run?", "which pods run?"),
        ("<@U1>, which pods run?", "which pods run?"),
        ("  @Helper_Bot: <@U1> which pods run?", "which pods run?"),
        ("<@U1>\nwhich pods run?", "which pods run?"),
        ("which pods run?\n<@U1>\nin prod", "which pods run?\nin prod"),
        ("which pods run?\n\n@helper_bot", "which pods run?"),
        ("<@U1>", ""),
        ("", ""),
    ],
)
def test_a_mention_that_calls_the_bot_is_taken_out(text: str, task: str) -> None:
    assert strip_mention(text, FORMS) == task


@pytest.mark.parametrize(
    "text",
    [
        "ask <@U1> tomorrow",
        "<@U2> <@U1> both of you",
        "@helper_botanist grows plants",
        "what does @helper_bot cost?",
        "- a list\n  - with indentation",
    ],
)
def test_every_other_mention_stays_where_it_is(text: str) -> None:
    assert strip_mention(text, FORMS) == text


def test_without_a_written_form_nothing_is_taken_out() -> None:
    assert strip_mention("@helper hello", ()) == "@helper hello"
