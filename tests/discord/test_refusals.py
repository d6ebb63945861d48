"""What Discord's answers mean to the common code."""

import pytest

from sympozium.chat.errors import (
    AccountRefusedError,
    ChatClosedError,
    MarkupRefusedError,
    PlatformBusyError,
    PostGoneError,
)
from sympozium.contract.errors import PermanentError, TransientError
from sympozium_discord.refusals import DiscordRefusedError, InteractionGoneError, refusal

CONTENT = {"content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "secret words"}]}}


def meant(status: int, body: object = None, **headers: str) -> Exception:
    return refusal("POST /x", status, headers, body)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"code": 0}, AccountRefusedError),
        (403, {"code": 50001}, ChatClosedError),
        (403, {"code": 50013}, ChatClosedError),
        (403, {"code": 50007}, ChatClosedError),
        (404, {"code": 10003}, ChatClosedError),
        (404, {"code": 10008}, PostGoneError),
        (403, {"code": 50005}, PostGoneError),
        (404, {"code": 10062}, InteractionGoneError),
        (401, None, AccountRefusedError),
        (400, {"code": 50035, "errors": CONTENT}, MarkupRefusedError),
        (400, {"code": 240000}, MarkupRefusedError),
        (400, {"code": 50035, "errors": {"components": {}}}, DiscordRefusedError),
        (400, {"code": "nonsense"}, DiscordRefusedError),
        (418, ["nonsense"], DiscordRefusedError),
        (500, None, TransientError),
        (503, "<html>", TransientError),
        (524, {"code": 50001}, TransientError),
    ],
)
def test_an_answer_is_an_error_that_somebody_acts_on(
    status: int, body: object, kind: type[Exception]
) -> None:
    assert type(meant(status, body)) is kind


def test_an_interaction_whose_time_is_over_is_not_a_refused_account() -> None:
    over = refusal("PATCH /webhooks/{a}/{t}/messages/@original", 401, {}, {"code": 50027})
    assert isinstance(over, InteractionGoneError)


@pytest.mark.parametrize(
    ("body", "headers", "retry_after_s", "is_overall"),
    [
        ({"retry_after": 1.5, "global": False}, {}, 1.5, False),
        ({"retry_after": 2, "global": True}, {}, 2.0, True),
        ({"retry_after": 2}, {"X-RateLimit-Scope": "global"}, 2.0, True),
        (None, {"Retry-After": "30"}, 30.0, True),
        (None, {}, 60.0, True),
        ({"retry_after": "soon"}, {}, 60.0, False),
        ({"retry_after": -1}, {}, 0.0, False),
    ],
)
def test_waiting_is_as_long_and_as_wide_as_was_asked(
    body: object, headers: dict[str, str], retry_after_s: float, is_overall: bool
) -> None:
    busy = meant(429, body, **headers)
    assert isinstance(busy, PlatformBusyError)
    assert (busy.retry_after_s, busy.is_overall) == (retry_after_s, is_overall)


def test_nobody_reads_in_an_error_what_was_sent() -> None:
    assert "secret words" not in str(meant(400, {"code": 50035, "errors": CONTENT}))


def test_every_refusal_for_good_is_permanent() -> None:
    assert all(isinstance(meant(status), PermanentError) for status in (400, 401, 403, 404, 405))
