"""What doctor makes of a bus server's log. The lines are those of a real one."""

from sympozium_local.cli.checks.check import State
from sympozium_local.cli.checks.refusals import MANY, refusal_checks

BEGIN = "[1] 2026/11/22 06:18:2{number}.957123 [ERR] 10.88.0.104:60770 - cid:91 - "
RUN = "run attacked/fcb02a22-6041-4cf9-8694-05e1be0621d1"


def line(number: int, what: str, subject: str, who: str = RUN) -> str:
    """Return a line as the server writes it when it refuses a subject."""
    begin = BEGIN.format(number=number)
    return f'{begin}"v1:python" - "SYMPOZIUM/user:{who}" - {what} Violation - Subject "{subject}"'


def test_a_log_without_refusals_is_fine() -> None:
    (told,) = refusal_checks(["[1] 2026/11/22 06:18:17.3 [INF] Server is ready", ""], "bus")
    assert (told.state, told.about) == (State.OK, "refusals of bus")


def test_who_is_refused_is_named_with_what_he_wanted_and_when() -> None:
    lines = [line(1, "Publish", "inbox.elsewhere.web"), line(2, "Subscription", ">") + ", SID 1"]
    (told,) = refusal_checks(lines, "bus")
    assert (told.state, told.about) == (State.WARNING, f"refused: {RUN}")
    assert "publish to 'inbox.elsewhere.web'" in told.text
    assert "2 times, the last one at 2026/11/22 06:18:22" in told.text
    assert "docs/security.md" in told.remedy


def test_whoever_was_last_is_named_first() -> None:
    lines = [line(1, "Publish", "a", "run x/1"), line(2, "Subscription", "b", "channel x/web")]
    first, second = refusal_checks([*lines, line(3, "Publish", "c", "run x/1")], "bus")
    assert [first.about, second.about] == ["refused: run x/1", "refused: channel x/web"]
    assert "listen to 'b'; once at" in second.text


def test_an_answer_to_the_server_that_came_too_late_is_no_trespass() -> None:
    (told,) = refusal_checks([line(1, "Publish", "$SYS._INBOX.a.b", "controller")], "bus")
    assert told.state == State.OK


def test_many_are_counted() -> None:
    lines = [line(1, "Publish", "a", f"run x/{number}") for number in range(MANY + 3)]
    *named, rest = refusal_checks(lines, "bus")
    assert (len(named), rest.text) == (MANY, "3 more")
