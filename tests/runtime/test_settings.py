import pytest

from sympozium.runtime.settings import Reader, SettingsError


def test_every_problem_is_told_at_once() -> None:
    reader = Reader({"PORT": "eighty", "LEVEL": "LOUD", "WAIT": "-1"})
    reader.text("URL")
    reader.number("PORT", 80, low=1, high=65535)
    reader.choice("LEVEL", "INFO", ("INFO", "DEBUG"))
    reader.seconds("WAIT", 1.0, low=0, high=10)
    with pytest.raises(SettingsError) as caught:
        reader.finish()
    for name in ("URL", "'eighty'", "1 to 65535", "'LOUD'", "INFO, DEBUG", "'-1'"):
        assert name in str(caught.value)


def test_an_absent_or_empty_variable_has_its_default() -> None:
    reader = Reader({"PORT": ""})
    assert reader.number("PORT", 80, low=1, high=65535) == 80
    assert reader.text("URL", "nats://127.0.0.1") == "nats://127.0.0.1"
    reader.finish()
