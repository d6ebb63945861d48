"""Whoever waits on a terminal sees that it goes on; elsewhere nothing but words is written."""

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from sympozium_local.cli.screen import quiet, waiting
from tests.local.command_line import CommandLine
from tests.local.terminal import on_a_terminal

PROGRAM = str(Path(sys.executable).with_name("sympozium"))
ID = "web:1"

pytestmark = pytest.mark.timeout(90)


class SlowAgent:
    """A web channel that says only what a test gives it to say.

    Attributes:
        url: Where it is.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._said: queue.Queue[tuple[str, dict[str, object]]] = queue.Queue()

    def say(self, event: str, **data: object) -> None:
        """Send one event of the message."""
        self._said.put((event, {"message_id": ID, **data}))

    def next_event(self) -> bytes:
        """Wait for the next event, as it is on the wire."""
        event, data = self._said.get(timeout=60)
        return f"event: {event}\ndata: {json.dumps(data)}\n\n".encode()


@pytest.fixture
def agent() -> Iterator[SlowAgent]:
    """A web channel on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"message_id": ID}).encode()
            self.send_response(202)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            event = b""
            while b"event: final" not in event:
                event = slow.next_event()
                self.wfile.write(event)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    slow = SlowAgent(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield slow
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_that_thinks_is_seen_to_think_before_and_between_its_words(
    sympozium: CommandLine, agent: SlowAgent
) -> None:
    command = [PROGRAM, "chat", "hello", "--url", agent.url]
    with on_a_terminal(command, sympozium.environ) as terminal:
        terminal.wait_for("thinking")
        agent.say("progress", tool="list_pods", state="started")
        terminal.wait_for("[list_pods ...]")
        before = terminal.shown.count("thinking")
        terminal.wait_for("thinking", times=before + 1)
        agent.say("delta", offset=0, text="Three ")
        agent.say("final", text="Three pods")
        assert terminal.end() == "Three pods\n"
    assert terminal.process.returncode == 0
    assert terminal.shown.endswith("\x1b[2K"), "the line that moves was left on the screen"


def test_without_a_terminal_an_answer_is_nothing_but_words(
    sympozium: CommandLine, agent: SlowAgent
) -> None:
    agent.say("progress", tool="list_pods", state="started")
    agent.say("delta", offset=0, text="Three ")
    agent.say("final", text="Three pods")
    answer = sympozium.run("chat", "hello", "--url", agent.url, FORCE_COLOR="1")
    assert (answer.stdout, answer.stderr) == ("Three pods\n", "[list_pods ...]\n")


def test_a_spinner_writes_nothing_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # with which others write as if there were one
    with waiting("looking", after_s=0) as spinner:
        assert not spinner.hide()
    assert capsys.readouterr() == ("", "")


@contextmanager
def unread_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the errors of this process go to a terminal that nobody reads."""
    reads, writes = os.openpty()
    with os.fdopen(writes, "w") as stderr, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        yield
    os.close(reads)


def test_within_a_wait_there_is_one_line_that_moves_and_others_may_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with unread_terminal(monkeypatch), waiting("looking", after_s=60) as outer:
        with waiting("asking") as inner:
            assert inner is outer
        with quiet():
            assert not outer.hide(), "it moves while somebody is asked for a password"
        assert outer.hide()
        with quiet():
            pass
        assert not outer.hide(), "it came in the middle of an answer"
