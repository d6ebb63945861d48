"""A recorder that real kubectl talks to, so that tests read what it really sends."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override


@dataclass
class Recorder:
    """A server that keeps the last body sent to it and answers GETs from documents.

    Attributes:
        answers: What is answered, by path.
        body: The last body that was sent.
    """

    address: str
    home: Path
    answers: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl against the recorder and return what it prints."""
        command = shutil.which("kubectl", path=str(Path(sys.executable).parent))
        if command is None:
            pytest.skip("kubectl is not installed")
        outcome = subprocess.run(
            [command, "--server", self.address, *arguments],
            env={"HOME": str(self.home), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=15,
            check=False,
        )
        return outcome.stdout + outcome.stderr


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """Run a recorder."""
    state = Recorder(address="", home=tmp_path)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self._answer(200 if path in state.answers else 404, state.answers.get(path, {}))

        def do_POST(self) -> None:
            state.body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(403, {"kind": "Status", "apiVersion": "v1", "status": "Failure"})

        def _answer(self, code: int, document: Any) -> None:
            content = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield state
        server.shutdown()
        thread.join()
