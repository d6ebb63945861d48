"""The Events API over HTTP: who is believed, and when Slack is answered."""

import asyncio
import io
import json
import time
from urllib.parse import urlencode

import aiohttp
import pytest

from sympozium.contract.errors import PermanentError
from sympozium.runtime.settings import SettingsError
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage
from sympozium_slack.http_mode import MAX_BODY_BYTES, PATH
from sympozium_slack.settings import read_settings
from sympozium_slack.signature import WINDOW_S, Signatures
from tests.fixtures.sockets import bare_connection
from tests.platforms.slack.delivery import callback, signed
from tests.platforms.slack.workspace import BOT_USER, Wire
from tests.slack.given import mention

pytestmark = pytest.mark.timeout(60)

SECRET = "a-signing-secret"
BODY = b'{"type":"event_callback"}'
NOW = 1_800_000_000.0


def checked(headers: dict[str, str], body: bytes = BODY, *, at: float = NOW) -> bool:
    timestamp = headers.get("X-Slack-Request-Timestamp", "")
    signature = headers.get("X-Slack-Signature", "")
    return Signatures(SECRET, clock=lambda: at).accepts(body, timestamp, signature)


def test_a_request_that_slack_signed_is_believed() -> None:
    headers = signed(BODY, secret=SECRET, at=NOW)
    assert checked(headers)
    assert checked(headers, at=NOW + WINDOW_S)
    assert checked(headers, at=NOW - WINDOW_S)


@pytest.mark.parametrize("late_s", [WINDOW_S + 1, -WINDOW_S - 1])
def test_a_request_of_another_time_is_refused(late_s: int) -> None:
    assert not checked(signed(BODY, secret=SECRET, at=NOW), at=NOW + late_s)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(BODY, secret="another", at=NOW),
        signed(b"another body", secret=SECRET, at=NOW),
        signed(BODY, secret=SECRET, at=NOW) | {"X-Slack-Signature": "v0="},
        signed(BODY, secret=SECRET, at=NOW) | {"X-Slack-Signature": "v0=\u00e9"},
        signed(BODY, secret=SECRET, at=NOW) | {"X-Slack-Request-Timestamp": "never"},
        signed(BODY, secret=SECRET, at=NOW) | {"X-Slack-Request-Timestamp": "9" * 400},
    ],
)
def test_a_request_that_slack_did_not_sign_is_refused(headers: dict[str, str]) -> None:
    assert not checked(headers)


def test_the_same_request_is_believed_once_until_it_is_forgotten() -> None:
    signatures = Signatures(SECRET, clock=lambda: NOW)
    headers = signed(BODY, secret=SECRET, at=NOW)
    given = (BODY, headers["X-Slack-Request-Timestamp"], headers["X-Slack-Signature"])
    assert signatures.accepts(*given)
    assert not signatures.accepts(*given)
    signatures.forget(given[2])
    assert signatures.accepts(*given)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(PermanentError):
        Signatures("")
    environ = {
        "SYMPOZIUM_CHANNEL_NAMESPACE": "a", "SYMPOZIUM_CHANNEL_NAME": "b",
        "SYMPOZIUM_NATS_URL": "nats://x", "SLACK_BOT_TOKEN": "xoxb-1",
        "SYMPOZIUM_SLACK_TRANSPORT": "http", "SLACK_SIGNING_SECRET": "  ",
    }  # fmt: skip
    with pytest.raises(SettingsError, match="SLACK_SIGNING_SECRET"):
        read_settings(environ)


def address(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.driver.env['SYMPOZIUM_SLACK_PORT']}{PATH}"


async def posted(stage: Stage, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    headers = {"Content-Type": "application/json"} | headers
    async with (
        aiohttp.ClientSession() as session,
        session.post(address(stage), data=io.BytesIO(body), headers=headers) as response,
    ):
        return response.status, await response.text()


async def brought(stage: Stage, body: bytes, headers: dict[str, str]) -> int:
    """Bring a request again while it cannot be taken, as Slack does; return the last status.

    A busy machine's disk may take longer than Slack waits.
    """
    while (status := (await posted(stage, body, headers))[0]) == 503:  # noqa: ASYNC110 - no event
        await asyncio.sleep(0.2)
    return status


def direct(stage: Stage, text: str) -> tuple[Where, Wire]:
    where = Where(Spot.DIRECT, "http")
    chat = stage.driver.chat_id(where)
    event = mention(text, channel=chat, ts=f"{int(time.time())}.{time.monotonic_ns() % 10**6:06d}")
    return where, callback(event | {"text": text}, "Ev1")


async def test_forged_requests_leave_nothing_behind(own_http: Stage) -> None:
    where, forged = direct(own_http, "forged")
    body = json.dumps(forged).encode()
    assert (await posted(own_http, body, {}))[0] == 401
    assert (await posted(own_http, body, signed(body, secret="wrong")))[0] == 401
    assert (await posted(own_http, body, signed(body, at=time.time() - 301)))[0] == 401
    assert (await posted(own_http, body + b" ", signed(body)))[0] == 401
    _, barrier = await own_http.asks("ada", where, "real")
    assert barrier.text == "real"


async def test_a_replayed_request_is_refused(own_http: Stage) -> None:
    where, event = direct(own_http, "once")
    body = json.dumps(event).encode()
    headers = signed(body)
    assert await brought(own_http, body, headers) == 200
    assert (await posted(own_http, body, headers))[0] == 401
    assert (await own_http.heard(where)).text == "once"


async def test_slack_is_given_back_its_challenge(own_http: Stage) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c3po"}).encode()
    status, text = await posted(own_http, body, signed(body))
    assert (status, json.loads(text)) == (200, {"challenge": "c3po"})


async def test_slack_is_answered_when_it_looks_whether_we_are_there(own_http: Stage) -> None:
    body = b"ssl_check=1&token=x"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await posted(own_http, body, form | signed(body)))[0] == 200


async def test_a_body_without_measure_is_refused(own_http: Stage) -> None:
    body = b"x" * (MAX_BODY_BYTES + 1)
    assert (await posted(own_http, body, signed(body)))[0] == 413


async def test_requests_beyond_every_limit_are_refused_and_stop_nothing(own_http: Stage) -> None:
    many = {f"X-Header-{number}": "x" for number in range(200)}
    long = {"X-Long": "x" * 20_000}
    for headers in (many, long):
        assert (await posted(own_http, b"{}", headers))[0] == 400
    port = int(own_http.driver.env["SYMPOZIUM_SLACK_PORT"])
    async with bare_connection(port) as (reader, writer), asyncio.timeout(10):
        writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 400")
    _, barrier = await own_http.asks("ada", Where(Spot.DIRECT, "next"), "still there?")
    assert barrier.text == "still there?"
    assert "Traceback" not in own_http.program.log


@pytest.mark.parametrize(
    "body", [b"[" * 20_000, b'{"type":NaN}', b"\xff\xfe", b'{"type":1,"type":2}', b"null"]
)
async def test_what_cannot_be_read_is_set_aside_and_stops_nothing(
    own_http: Stage, body: bytes
) -> None:
    assert await brought(own_http, body, signed(body)) == 200
    assert await own_http.backstage.dead_letters() == 1
    _, barrier = await own_http.asks("ada", Where(Spot.DIRECT, "next"), "still there?")
    assert barrier.text == "still there?"


async def test_slack_hears_received_only_when_the_bus_has_it(own_http: Stage) -> None:
    where, event = direct(own_http, "is anybody there?")
    body = json.dumps(event).encode()
    own_http.nats.kill()
    assert (await posted(own_http, body, signed(body)))[0] == 503
    await own_http.nats.start()
    await own_http.program.ready()
    assert await brought(own_http, body, signed(body, at=time.time() + 1)) == 200
    assert (await own_http.heard(where)).text == "is anybody there?"


async def test_a_form_of_too_many_fields_is_refused(own_http: Stage) -> None:
    body = urlencode([(f"f{number}", "x") for number in range(1000)]).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await posted(own_http, body, form | signed(body)))[0] == 503
    _, barrier = await own_http.asks("ada", Where(Spot.DIRECT, "next"), "still there?")
    assert barrier.text == "still there?"


async def test_an_event_for_another_workspace_is_not_ours(own_http: Stage) -> None:
    where, event = direct(own_http, "not ours")
    event |= {"team_id": "T0OTHER", "authorizations": [{"team_id": "T0OTHER", "user_id": BOT_USER}]}
    body = json.dumps(event).encode()
    assert (await posted(own_http, body, signed(body)))[0] == 200
    _, barrier = await own_http.asks("ada", where, "ours")
    assert barrier.text == "ours"
