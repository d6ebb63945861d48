"""Hostile requests over real sockets, to every server of ours that somebody else can reach.

Each is answered with a refusal of the documented form or has its connection ended, and the
next good one is answered. Nothing is answered with "internal server error", and no program grows.
"""

import json
import os
import re
import ssl
from base64 import b64decode
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import settings

from sympozium.bus.admin import ensure_consumer
from sympozium.bus.nats import NatsBus
from sympozium.contract.envelope import encode
from sympozium.contract.resources import AGENTS
from sympozium.contract.subjects import outbox_consumer
from sympozium.testing.channels.driver import Spot, Where
from sympozium.testing.channels.stage import Stage, stage
from sympozium_controller.admission.keeping import WEBHOOK
from sympozium_local.demo_model.server import serve as serve_demo_model
from sympozium_slack.http_mode import PATH as SLACK_EVENTS
from sympozium_telegram.webhook import SECRET_HEADER
from tests.admission import objects
from tests.admission.rules import SPACE
from tests.admission.webhooks import SYSTEM, installed
from tests.agent.pod import Pod
from tests.fixtures.memory import peak_bytes, resident_bytes
from tests.fixtures.nats_server import NatsServer
from tests.fuzz.hostile import as_json
from tests.fuzz.requests import Example, Sent, good_request, hostile_requests
from tests.fuzz.siege import Answer, Door, Siege, answer_to, require_no_bug
from tests.fuzz.test_platform_readers import INTERACTIONS, SLACK_BODIES, TELEGRAM_BODIES
from tests.platforms.slack.delivery import signed
from tests.platforms.slack.driver import make_http_driver
from tests.telegram.hooked import SECRET, driver_of, make_webhook_driver
from tests.web.parts import CHANNEL, NAMESPACE, WebProgram, error_of

pytestmark = pytest.mark.timeout(1200)

AT_LEAST = 300
MIB = 1024 * 1024

MOST_BYTES = 200 * MIB
"""Of a container that may have 256 MiB."""

TOKEN = "a-token-of-sixteen-or-more"
FORM = "application/x-www-form-urlencoded"


def requests(examples: Sequence[Example], host: str, name: str) -> Iterator[Sent]:
    """Return as many hostile requests as this run is to show."""
    number = max(AT_LEAST, settings().max_examples)
    seed = f"{name} {os.environ.get('FUZZ_EXAMPLES', '')}"
    return hostile_requests(examples, host, count=number, seed=seed)


def require_mostly_answered(siege: Siege) -> None:
    """Check that requests were answered, and some of them as good ones."""
    assert siege.answers[200] + siege.answers[202], siege.answers
    assert siege.answers[0] < siege.answers.total() // 4, siege.answers


WEB_HEADERS = {"Authorization": f"Bearer {TOKEN}"}
WEB_MESSAGE = Example(
    "/api/conversations/c/messages",
    b'{"text": "which pods run here?"}',
    prove=lambda _body: WEB_HEADERS,
)
WEB = [
    WEB_MESSAGE,
    Example(
        "/api/conversations/c-1/messages",
        b'{"text": "/stop", "id": "a-1"}',
        prove=lambda _body: WEB_HEADERS,
    ),
    Example(
        "/api/conversations/c/events",
        method="GET",
        prove=lambda _body: {**WEB_HEADERS, "Last-Event-ID": "7"},
    ),
    Example("/", method="GET"),
    Example("/static/app.js", method="GET"),
]


def require_the_web_form(answer: Answer) -> None:
    if answer.status >= 400:
        error_of(answer.body.decode())


async def test_the_web_channel_refuses_any_request_in_its_one_form(
    tmp_path: Path, nats_server: NatsServer, bus: NatsBus
) -> None:
    await ensure_consumer(bus.client, outbox_consumer(NAMESPACE, CHANNEL))
    web = WebProgram(nats_server.url, tmp_path / "web.log", environ={"SYMPOZIUM_WEB_TOKEN": TOKEN})
    web.start()
    door, host = Door(web.port), f"127.0.0.1:{web.port}"

    async def good() -> None:
        answer = await answer_to(door, good_request(WEB_MESSAGE, host))
        assert answer is not None
        assert answer.status == 202, answer

    siege = Siege(door, require_the_web_form, good)
    try:
        await siege.lay(requests(WEB, host, "web"))
        require_mostly_answered(siege)
        assert peak_bytes(web.pid) < MOST_BYTES
        assert web.terminate() == 0
        assert "Traceback" not in web.log.read_text()
    finally:
        web.kill()


def commanded(document: bytes) -> bytes:
    """Return a slash command as a form; what is no JSON object, as it is."""
    try:
        fields = json.loads(document)
    except (ValueError, RecursionError):
        return document
    if not isinstance(fields, dict):
        return document
    return urlencode({k: str(v) for k, v in fields.items()}, errors="replace").encode()


def interacting(document: bytes) -> bytes:
    return b"payload=" + quote_plus(document).encode()


COMMAND = {
    "command": "/sympozium",
    "text": "model m",
    "user_id": "U0ADA",
    "user_name": "ada",
    "team_id": "T0STANDIN1",
    "channel_id": "C0GENERAL",
    "trigger_id": "1.2.3",
    "response_url": "https://hooks.slack.com/commands/1",
}
SLACK = [
    *(Example(SLACK_EVENTS, body, prove=signed) for body in SLACK_BODIES),
    *(
        Example(SLACK_EVENTS, as_json(one), media_type=FORM, pack=interacting, prove=signed)
        for one in INTERACTIONS
    ),
    Example(SLACK_EVENTS, as_json(COMMAND), media_type=FORM, pack=commanded, prove=signed),
    Example(SLACK_EVENTS, as_json({"type": "url_verification", "challenge": "x"}), prove=signed),
]


async def test_slacks_requests_are_taken_or_refused_and_none_stops_the_next(
    tmp_path: Path,
) -> None:
    async with stage(make_http_driver, tmp_path) as running:
        port = int(running.driver.env["SYMPOZIUM_SLACK_PORT"])
        await besiege(running, port, SLACK, "slack")


TELEGRAM_HEADERS = {SECRET_HEADER: SECRET}


async def test_telegrams_calls_are_taken_or_refused_and_none_stops_the_next(
    tmp_path: Path,
) -> None:
    async with stage(make_webhook_driver, tmp_path) as running:
        driver = driver_of(running)
        path = driver.address.removeprefix(f"http://127.0.0.1:{driver.port}")
        examples = [
            Example(path, body, prove=lambda _body: TELEGRAM_HEADERS) for body in TELEGRAM_BODIES
        ]
        await besiege(running, driver.port, examples, "telegram")


async def besiege(running: Stage, port: int, examples: Sequence[Example], name: str) -> None:
    """Send requests to a channel that listens on *port*, with people's questions between them."""
    numbers = count()

    async def good() -> None:
        where = Where(Spot.DIRECT, f"good-{next(numbers)}")
        _, heard = await running.asks("zoe", where, "still there?")
        assert heard.text == "still there?"

    siege = Siege(Door(port), require_no_bug, good)
    await siege.lay(requests(examples, f"127.0.0.1:{port}", name))
    require_mostly_answered(siege)
    assert peak_bytes(running.program.pid) < MOST_BYTES
    assert await running.program.stop() == 0
    assert "Traceback" not in running.program.log


def review(path: str, **spec: object) -> Example:
    """Return the API server's question about a run, at the *path* that it was told."""
    run = objects.run(SPACE, "a")
    run["spec"] |= spec
    request = {
        "uid": "5b2f7e1a-0000-4000-8000-000000000001",
        "kind": {"group": "sympozium.ai", "version": "v1alpha1", "kind": "AgentRun"},
        "namespace": SPACE,
        "operation": "CREATE",
        "object": run,
    }
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return Example(path, as_json(body))


def reviews(path: str) -> list[Example]:
    """Return questions about runs that may be, and that may not."""
    by_key = {"provider": "openai", "model": "m", "baseURL": "", "authSecretRef": "key"}
    return [
        review(path),
        review(path, timeout="5m", skills=[{"skillPackRef": "cluster-reader"}]),
        review(path, model=by_key),
        review(path, agentRef="nobody"),
        review(path, agentRef=""),
        review(path, timeout="0s"),
        review(path, timeout="9" * 30 + "h"),
    ]


def require_a_verdict(answer: Answer) -> None:
    """Check that an answer is a refusal to read, or to look, or says whether the run is allowed."""
    if answer.status == 200:
        response = json.loads(answer.body)["response"]
        assert isinstance(response["uid"], str)
        assert response["allowed"] or response["status"]["message"]


async def test_the_admission_webhook_gives_a_verdict_or_a_refusal(tmp_path: Path) -> None:
    async with installed(tmp_path) as installation, installation.controller() as served:
        await installation.lead_to(served)
        await served.ready()
        await installation.admin.create(AGENTS, objects.agent(SPACE))
        trusted = b64decode(await installation.bundle()).decode()
        tls = ssl.create_default_context(cadata=trusted)
        door = Door(served.port, tls, f"{WEBHOOK}.{SYSTEM}.svc")
        path = await installation.path()

        async def good() -> None:
            answer = await answer_to(door, good_request(review(path), door.name))
            assert answer is not None
            assert answer.status == 200
            assert json.loads(answer.body)["response"]["allowed"] is True

        await good()
        before = resident_bytes()
        siege = Siege(door, require_a_verdict, good)
        await siege.lay(requests(reviews(path), door.name, "webhook"))
        require_mostly_answered(siege)
        assert resident_bytes() - before < MOST_BYTES


ASKED = {
    "model": "demo",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "list_pods", "parameters": {}}}],
}
CHAT = Example("/v1/chat/completions", encode(ASKED), prove=lambda _body: {"Accept": "*/*"})
MODEL = [CHAT, Example("/v1/models", method="GET", prove=lambda _body: {"Accept": "*/*"})]
CODE = re.compile(r"[a-z0-9_.]{1,64}")


def require_the_models_form(answer: Answer) -> None:
    """Check that an answer is the model's, or an error in the form of the OpenAI protocol."""
    assert 200 <= answer.status < 500
    if answer.status >= 400:
        error = json.loads(answer.body)["error"]
        assert error["message"]
        assert CODE.fullmatch(error["code"])


async def test_the_model_proxy_of_a_bridge_outlives_whatever_its_agent_asks(
    tmp_path: Path, nats_server: NatsServer, bus: NatsBus
) -> None:
    """An agent that sends what is no HTTP gets no answer: its connection ends."""
    async with serve_demo_model() as demo:
        pod = Pod(tmp_path, nats_server, bus, demo)
        pod.layout.root.mkdir()
        async with pod.router():
            bridge = pod.start("bridge")
            try:
                await pod.until_serving()
                door, host = Door(pod.model_port), f"127.0.0.1:{pod.model_port}"

                async def good() -> None:
                    answer = await answer_to(door, good_request(CHAT, host))
                    assert answer is not None
                    assert answer.status == 200

                siege = Siege(door, require_the_models_form, good)
                await siege.lay(requests(MODEL, host, "model"))
                assert siege.answers[200], siege.answers
                assert siege.answers[0] < siege.answers.total() // 2, siege.answers
                assert bridge.poll() is None
                assert peak_bytes(bridge.pid) < MOST_BYTES
                assert "Traceback" not in pod.log_of("bridge")
            finally:
                pod.kill_all()
