"""What the program accepts from outside."""

import pytest

from sympozium.runtime.settings import SettingsError
from sympozium_telegram.settings import PLATFORM_URL, hidden_path, read_settings

TOKEN = "123456:AAE-secret_part_of_the_token"
GIVEN = {
    "SYMPOZIUM_CHANNEL_NAMESPACE": "default",
    "SYMPOZIUM_CHANNEL_NAME": "ops",
    "SYMPOZIUM_NATS_URL": "nats://127.0.0.1:4222",
    "TELEGRAM_BOT_TOKEN": TOKEN,
}
HOOKED = {
    **GIVEN,
    "SYMPOZIUM_TELEGRAM_TRANSPORT": "webhook",
    "SYMPOZIUM_TELEGRAM_WEBHOOK_URL": "https://bots.example.org/telegram/",
    "TELEGRAM_WEBHOOK_SECRET": "0123456789abcdef",
}


def test_polling_needs_a_token_and_nothing_else() -> None:
    settings = read_settings(GIVEN)
    assert (settings.transport, settings.api_url, settings.bot_id) == ("poll", PLATFORM_URL, 123456)


def test_another_server_is_used_for_everything() -> None:
    settings = read_settings({**GIVEN, "SYMPOZIUM_API_URL": "http://bot-api:8081/"})
    assert settings.api_url == "http://bot-api:8081"


def test_the_webhook_has_an_address_and_a_secret() -> None:
    settings = read_settings(HOOKED)
    assert settings.webhook_url == "https://bots.example.org/telegram"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TELEGRAM_WEBHOOK_SECRET", ""),
        ("TELEGRAM_WEBHOOK_SECRET", "too-short"),
        ("TELEGRAM_WEBHOOK_SECRET", "with spaces in its middle"),
        ("SYMPOZIUM_TELEGRAM_WEBHOOK_URL", ""),
        ("SYMPOZIUM_TELEGRAM_WEBHOOK_URL", "http://bots.example.org"),
        ("TELEGRAM_BOT_TOKEN", "not a token"),
    ],
)
def test_what_cannot_work_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({**HOOKED, name: value})


def test_no_secret_is_in_a_refusal_or_a_representation() -> None:
    settings = read_settings(HOOKED)
    assert TOKEN not in repr(settings)
    assert HOOKED["TELEGRAM_WEBHOOK_SECRET"] not in repr(settings)
    bad = {**HOOKED, "TELEGRAM_BOT_TOKEN": TOKEN + "!", "TELEGRAM_WEBHOOK_SECRET": "short-secret"}
    with pytest.raises(SettingsError) as refused:
        read_settings(bad)
    assert "secret_part" not in str(refused.value)
    assert "short-secret" not in str(refused.value)


def test_the_path_of_the_webhook_depends_on_the_secret_and_does_not_tell_it() -> None:
    one, other = hidden_path("0123456789abcdef"), hidden_path("0123456789abcdeg")
    assert one != other
    assert "0123456789abcdef" not in one
