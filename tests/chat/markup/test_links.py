"""Where links lead, and what is shown of them."""

import pytest

from sympozium.chat.markup import Dialect, LengthUnit, Limit, render

NARROW = Limit(200, LengthUnit.UTF16)
EACH_DIALECT = pytest.mark.parametrize("dialect", Dialect)


def text(markdown: str, dialect: Dialect, limit: Limit = NARROW) -> str:
    return "".join(piece.text for piece in render(markdown, dialect, limit))


@EACH_DIALECT
@pytest.mark.parametrize(
    "target",
    [
        "tg://user?id=1",
        "slack://user?id=U1",
        "docs/setup.md",
        "#anchor",
        "ftp://a.example",
        "//x.y",
    ],
)
def test_a_link_that_may_not_be_one_is_shown_with_its_target(target: str, dialect: Dialect) -> None:
    shown = text(f"[words]({target})", dialect).replace("\u2060", "").replace("\\", "")
    assert shown == f"words ({target})"


@EACH_DIALECT
@pytest.mark.parametrize("target", ["javascript:alert(1)", "data:text/html,x", "vbscript:x"])
def test_a_link_that_runs_something_is_text(target: str, dialect: Dialect) -> None:
    shown = text(f"[words]({target})", dialect)
    assert shown.replace("\\", "") == f"[words]({target})"


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("https://bank.example", "https://evil.example"),
        ("bank.example", "https://evil.example"),
        ("www.bank.example/login", "https://evil.example/login"),
        ("**bank.example**", "https://evil.example/bank.example.html"),
        ("https://bank.example/a", "https://bank.example/b"),
        ("someone@bank.example", "mailto:someone@evil.example"),
    ],
)
def test_a_text_that_is_another_address_is_shown_with_the_target(label: str, target: str) -> None:
    (piece,) = render(f"[{label}]({target})", Dialect.SLACK, NARROW)
    assert f" (<{target}>)" in piece.text
    assert piece.plain.endswith(f" ({target})")
    assert piece.plain.count(target) == 1


@pytest.mark.parametrize(
    ("label", "target"),
    [
        ("words", "https://a.example"),
        ("a.example", "https://a.example"),
        ("https://www.a.example/", "https://a.example"),
        ("A.example/b", "https://a.example/b/"),
        ("main.py", "https://a.example/src/main.py"),
        ("v1.2.3", "https://a.example"),
    ],
)
def test_a_text_that_promises_no_other_address_is_shown_alone(label: str, target: str) -> None:
    assert " (" not in text(f"[{label}]({target})", Dialect.SLACK)


@pytest.mark.parametrize(
    ("dialect", "shown"),
    [
        (Dialect.SLACK, "<https://a.example/b.png|chart>"),
        (Dialect.TELEGRAM, '<a href="https://a.example/b.png">chart</a>'),
        (Dialect.DISCORD, "[chart](<https://a.example/b.png>)"),
        (Dialect.MARKDOWN, "[chart](https://a.example/b.png)"),
    ],
)
def test_an_image_is_a_link(dialect: Dialect, shown: str) -> None:
    assert text("![chart](https://a.example/b.png)", dialect) == shown


@pytest.mark.parametrize("markdown", ["[](https://a.example)", "![](https://a.example)"])
def test_a_link_without_words_is_shown_as_its_target(markdown: str) -> None:
    assert text(markdown, Dialect.SLACK) == "<https://a.example>"


@pytest.mark.parametrize(
    ("markdown", "target"),
    [
        ("(see https://a.example/b_(c)).", "https://a.example/b_(c)"),
        ("**https://a.example/b**", "https://a.example/b"),
        ("https://a.example/b?c=1&d=*e*f, and", "https://a.example/b?c=1&amp;d=*e*f"),
        ("见 https://a.example/b。下", "https://a.example/b"),
        ('"https://a.example"', "https://a.example"),
    ],
)
def test_an_address_ends_where_the_sentence_goes_on(markdown: str, target: str) -> None:
    assert f"<{target}>" in text(markdown, Dialect.SLACK)


@EACH_DIALECT
def test_an_address_too_long_for_a_link_is_text(dialect: Dialect) -> None:
    address = "https://a.example/" + "b" * 500
    pieces = render(f"[words]({address})", dialect, NARROW)
    assert "".join(piece.plain for piece in pieces).replace("\n", "") == f"words ({address})"


def test_a_mention_in_an_address_is_encoded() -> None:
    assert text("https://a.example/@everyone", Dialect.DISCORD) == "<https://a.example/%40everyone>"
