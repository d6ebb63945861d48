"""A port of a pod, reached through a server that speaks as an API server does."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import WSMsgType, web

from sympozium.contract.errors import TransientError
from sympozium.kube.errors import ForbiddenError
from sympozium_local.cli.access.endpoint import Endpoint, endpoint_of
from sympozium_local.cli.access.kubeconfig import Context
from sympozium_local.cli.forwarding import PROTOCOL, PodPort, forwarded
from tests.cli.stand_in import Authority

TOKEN = "planted-5c1d"
PORT = 8400


class Pods:
    """An API server's `portforward`: echoes what pods are sent, with their name before it.

    Attributes:
        status: What an upgrade of a pod that is not served is answered with.
    """

    def __init__(self) -> None:
        self.served = {"web-1"}
        self.status = 404
        self.tokens: list[str] = []

    async def forward(self, request: web.Request) -> web.WebSocketResponse:
        self.tokens.append(request.headers.get("Authorization", ""))
        name = request.match_info["pod"]
        if name not in self.served:
            raise _status(self.status)
        number = int(request.query["ports"]).to_bytes(2, "little")
        answer = web.WebSocketResponse(protocols=(PROTOCOL,))
        await answer.prepare(request)
        for channel in (b"\x00", b"\x01"):
            await answer.send_bytes(channel + number)
        async for message in answer:
            if message.type == WSMsgType.BINARY:
                if message.data[1:].startswith(b"go"):  # and whatever was read with it
                    assert request.transport is not None
                    request.transport.abort()
                    break
                if message.data[1:] == b"refuse":
                    await answer.send_bytes(b"\x01no such port")
                    continue
                await answer.send_bytes(b"\x00" + name.encode() + b":" + message.data[1:])
        return answer


def _status(code: int) -> web.HTTPException:
    return {403: web.HTTPForbidden, 404: web.HTTPNotFound, 500: web.HTTPInternalServerError}[code]()


@contextmanager
def serving(pods: Pods, folder: Path) -> Iterator[Endpoint]:
    """Serve *pods* with TLS, in a thread of their own."""
    authority = Authority()
    pair = authority.issue("api", "127.0.0.1")
    (folder / "api.pem").write_bytes(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "api.pem")
    (folder / "ca.pem").write_bytes(authority.pem)
    ready, done = threading.Event(), threading.Event()
    ports: list[int] = []

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/api/v1/namespaces/team/pods/{pod}/portforward", pods.forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        ports.append(runner.addresses[0][1])
        ready.set()
        await asyncio.to_thread(done.wait)
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(10)
        entry = {
            "server": f"https://127.0.0.1:{ports[0]}",
            "certificate-authority": str(folder / "ca.pem"),
        }
        yield endpoint_of(Context("c", "team", entry, {"token": TOKEN}))
    finally:
        done.set()
        thread.join()


def said(port: int, text: bytes, wanted: int) -> bytes:
    """Send *text* to a port of this machine and return so many bytes of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text)
        answer = b""
        while len(answer) < wanted and (data := connection.recv(65536)):
            answer += data
        return answer


def at(pod: str) -> PodPort:
    return PodPort("team", pod, PORT)


def test_bytes_go_both_ways_and_the_token_with_them(tmp_path: Path) -> None:
    pods = Pods()
    with serving(pods, tmp_path) as endpoint, forwarded(endpoint, lambda: at("web-1")) as port:
        assert said(port, b"hello", 11) == b"web-1:hello"
        assert said(port, b"again", 11) == b"web-1:again"
    assert set(pods.tokens) == {f"Bearer {TOKEN}"}


def test_much_is_carried_whole(tmp_path: Path) -> None:
    text = b"x" * 30_000
    with (
        serving(Pods(), tmp_path) as endpoint,
        forwarded(endpoint, lambda: at("web-1")) as port,
    ):
        assert said(port, text, len(text) + 6) == b"web-1:" + text


def test_connections_at_once_do_not_mix(tmp_path: Path) -> None:
    with (
        serving(Pods(), tmp_path) as endpoint,
        forwarded(endpoint, lambda: at("web-1")) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as one,
        socket.create_connection(("127.0.0.1", port), timeout=10) as two,
    ):
        one.sendall(b"1")
        two.sendall(b"2")
        assert (two.recv(100), one.recv(100)) == (b"web-1:2", b"web-1:1")


def test_after_a_pod_was_replaced_the_next_connection_reaches_the_new_one(tmp_path: Path) -> None:
    pods, current = Pods(), ["web-1"]
    with serving(pods, tmp_path) as endpoint, forwarded(endpoint, lambda: at(current[0])) as port:
        assert said(port, b"a", 7) == b"web-1:a"
        pods.served, current[0] = {"web-2"}, "web-2"
        assert said(port, b"b", 7) == b"web-2:b"


def test_a_pod_that_goes_ends_the_connection_and_not_the_forwarding(tmp_path: Path) -> None:
    pods = Pods()
    with serving(pods, tmp_path) as endpoint, forwarded(endpoint, lambda: at("web-1")) as port:
        pods.served = set()
        assert said(port, b"lost", 1) == b""
        pods.served = {"web-1"}
        assert said(port, b"back", 10) == b"web-1:back"


def test_a_connection_that_breaks_while_it_is_written_to_ends_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        serving(Pods(), tmp_path) as endpoint,
        forwarded(endpoint, lambda: at("web-1")) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        connection.sendall(b"go")
        with suppress(OSError):
            while True:  # until the other end is closed
                connection.sendall(b"x" * 1000)
        assert said(port, b"next", 10) == b"web-1:next"
    ours = [record.message for record in caplog.records if record.name == "asyncio"]
    assert ours == []


def test_a_port_that_the_pod_does_not_have_ends_the_connection(tmp_path: Path) -> None:
    with (
        serving(Pods(), tmp_path) as endpoint,
        forwarded(endpoint, lambda: at("web-1")) as port,
    ):
        assert said(port, b"refuse", 1) == b""


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (403, ForbiddenError, "ask for the role 'sympozium-edit' there"),
        (404, TransientError, "the pod is gone"),
        (500, TransientError, "its node does not answer"),
    ],
)
def test_a_refusal_is_told_at_once(
    tmp_path: Path, status: int, error: type[Exception], says: str
) -> None:
    pods = Pods()
    pods.status = status
    with (
        serving(pods, tmp_path) as endpoint,
        pytest.raises(error) as caught,
        forwarded(endpoint, lambda: at("gone")),
    ):
        pass
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_what_finds_the_pod_may_say_that_there_is_none(tmp_path: Path) -> None:
    def none() -> PodPort:
        raise TransientError("cannot reach it: it has no pod; wait")

    with (
        serving(Pods(), tmp_path) as endpoint,
        pytest.raises(TransientError, match="it has no pod"),
        forwarded(endpoint, none),
    ):
        pass
