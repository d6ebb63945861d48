"""Who is let in: by Host, Origin, Sec-Fetch-Site and token."""

from collections.abc import Iterator, Mapping

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium_web.gate import gate_for
from sympozium_web.refusals import RequestRefusedError
from tests.fixtures.nats_server import NatsServer
from tests.web.parts import WebProgram, error_of

GATE = gate_for(8400, ("chat.example.com", "box.lan:9000"), "")
API = "/api/conversations/c/messages"
OURS = "127.0.0.1:8400"


def status(path: str = API, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        GATE.check(path, named)
    except RequestRefusedError as error:
        return error.status
    return 200


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8400", "localhost:8400", "LOCALHOST:8400", "[::1]:8400", "chat.example.com",
        "chat.example.com:443", "box.lan:9000",
    ],
)  # fmt: skip
def test_a_name_of_ours_is_let_in(host: str) -> None:
    assert status(Host=host) == 200
    assert status("/", Host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8400", "127.0.0.1", "127.0.0.1:8401", "localhost",
        "127.0.0.1.evil.example:8400", "localhost:8400.evil.example", "0.0.0.0:8400",
        "box.lan:9001", "chat.example.com.evil.example", "evil@127.0.0.1:8400", "[::1]:84000",
    ],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_refused_everywhere_but_for_probes(host: str) -> None:
    assert status(Host=host) == 403
    assert status("/", Host=host) == 403
    assert status("/static/app.js", Host=host) == 403
    assert status("/livez", Host=host) == 200
    assert status("/readyz", Host=host) == 200


@given(host=st.text(max_size=40))
def test_no_other_name_is_let_in(host: str) -> None:
    named = host.lower().rpartition(":")[0] or host.lower()
    ours = {"127.0.0.1:8400", "localhost:8400", "[::1]:8400", "box.lan:9000"}
    if host.lower() not in ours and "chat.example.com" not in {host.lower(), named}:
        assert status(Host=host) == 403


def test_a_token_of_bytes_that_are_no_text_is_refused() -> None:
    gate = gate_for(8400, (), "a-token-of-sixteen-or-more")
    received = b"Bearer \xff".decode(errors="surrogateescape")  # as the server hands it over
    with pytest.raises(RequestRefusedError, match="401"):
        gate.check(API, {"Host": OURS, "Authorization": received})


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://127.0.0.1:8400", 200),
        ("https://127.0.0.1:8400", 200),
        ("http://localhost:8400", 403),
        ("http://127.0.0.1:3000", 403),
        ("http://127.0.0.1", 403),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ],
)
def test_only_the_page_itself_is_an_origin(origin: str, expected: int) -> None:
    assert status(Host=OURS, Origin=origin) == expected


@pytest.mark.parametrize(
    ("site", "expected"),
    [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("x", 403)],
)
def test_a_browser_that_says_another_site_asks_is_refused(site: str, expected: int) -> None:
    assert status(Host=OURS, Sec_Fetch_Site=site) == expected
    assert status(Host=OURS, Origin=f"http://{OURS}", Sec_Fetch_Site=site) == expected


def test_a_link_from_another_site_opens_the_page() -> None:
    assert status("/", Host=OURS, Sec_Fetch_Site="cross-site") == 200


TOKEN = "a-token-of-this-test-0123456789"


@pytest.fixture(scope="module")
def guarded(web_nats: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProgram]:
    log = tmp_path_factory.mktemp("guarded") / "log"
    program = WebProgram(web_nats.url, log, environ={"SYMPOZIUM_WEB_TOKEN": TOKEN})
    program.start()
    yield program
    program.terminate()
    assert TOKEN not in log.read_text()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer t\u00f6ken"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "messages"), ("POST", "messages"), ("GET", "events")]
)
async def test_without_the_token_nothing_is_told(
    http: aiohttp.ClientSession,
    guarded: WebProgram,
    method: str,
    path: str,
    headers: Mapping[str, str],
) -> None:
    url = f"{guarded.url}/api/conversations/c/{path}"
    async with http.request(method, url, headers=headers, json={"text": "x"}) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert (await answer.json())["error"]["code"] == "token_required"


async def test_with_the_token_a_message_is_taken(
    http: aiohttp.ClientSession, guarded: WebProgram, conversation: str
) -> None:
    url = f"{guarded.url}/api/conversations/{conversation}/messages"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with http.post(url, json={"text": "hello"}, headers=headers) as answer:
        assert answer.status == 202


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/livez", "/readyz"])
async def test_page_and_probes_need_no_token(
    http: aiohttp.ClientSession, guarded: WebProgram, path: str
) -> None:
    async with http.get(f"{guarded.url}{path}") as answer:
        assert answer.status == 200


async def test_another_website_cannot_post_or_listen(
    http: aiohttp.ClientSession, web: WebProgram, conversation: str
) -> None:
    base = f"{web.url}/api/conversations/{conversation}"
    headers = {"Origin": "https://evil.example"}
    async with http.post(f"{base}/messages", json={"text": "x"}, headers=headers) as answer:
        assert answer.status == 403
        assert error_of(await answer.text())["code"] == "origin_not_allowed"
    async with http.get(f"{base}/events", headers=headers) as answer:
        assert answer.status == 403
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
    async with http.get(f"{web.url}/", headers={"Host": f"evil.example:{web.port}"}) as answer:
        assert answer.status == 403
        assert error_of(await answer.text())["code"] == "host_not_allowed"


async def test_every_answer_carries_the_security_headers(
    http: aiohttp.ClientSession, web: WebProgram
) -> None:
    for path in ("/", "/livez", "/api/conversations/c/nothing", "/api/conversations/!/messages"):
        async with http.get(f"{web.url}{path}") as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
