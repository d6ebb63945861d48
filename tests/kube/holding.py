"""A connection to the bus that somebody holds open in a container, and what is heard on it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.kube.inside import Pod

HOLD = """
import json, os, socket, sys, threading
host, port, token = sys.argv[1:]
bus = socket.create_connection((host, int(port)), timeout=10)
bus.settimeout(None)
options = {"verbose": False, "pedantic": False, "lang": "python", "version": "1", "protocol": 1,
    "headers": True, "auth_token": token}
def pass_on():
    for line in sys.stdin:
        bus.sendall(json.loads(line).encode())
file = bus.makefile("rb")
try:
    file.readline()
    bus.sendall(f"CONNECT {json.dumps(options)}\\r\\nPING\\r\\n".encode())
    threading.Thread(target=pass_on, daemon=True).start()
    for line in file:
        if line == b"PING\\r\\n":
            bus.sendall(b"PONG\\r\\n")
        else:
            print(json.dumps(line.decode().strip()), flush=True)
except OSError as error:
    print(json.dumps(type(error).__name__), flush=True)
print(json.dumps("closed"), flush=True)
os._exit(0)
"""

CLOSED = "closed"


class Held:
    """One open connection. Made by `holding`."""

    def __init__(self, commands: IO[str], lines: IO[str]) -> None:
        self._commands = commands
        self._lines = lines

    def send(self, *commands: str) -> None:
        """Say something to the bus."""
        for command in commands:
            self._commands.write(json.dumps(command) + "\n")
        self._commands.flush()

    def until(self, *parts: str) -> list[str]:
        """Return what is heard up to the line that holds one of *parts*, which is the last one."""
        heard: list[str] = []
        for line in self._lines:
            heard.append(json.loads(line))
            if any(part in heard[-1] for part in parts):
                return heard
        raise AssertionError(f"the connection ended before one of {parts} was heard: {heard}")

    def stored(self, subject: str, data: bytes, message_id: str, inbox: str) -> dict[str, object]:
        """Publish to a stream; return what the bus confirms on *inbox*, to which this listens.

        {}: the connection was closed before.
        """
        headers = f"NATS/1.0\r\nNats-Msg-Id: {message_id}\r\n\r\n"
        sizes = f"{len(headers)} {len(headers) + len(data)}"
        try:
            self.send(f"HPUB {subject} {inbox} {sizes}\r\n{headers}{data.decode()}\r\n")
        except BrokenPipeError:
            return {}
        last = self.until('"stream"', CLOSED)[-1]
        confirmed: dict[str, object] = {} if last == CLOSED else json.loads(last)
        return confirmed


@contextmanager
def holding(pod: Pod, container: str, bus: tuple[str, str], token: str) -> Iterator[Held]:
    """Hold a connection by *token* open in a container while the block lasts."""
    command = pod.command(container, HOLD, *bus, token)
    process = subprocess.Popen(
        command,
        env=pod.clients.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Held(process.stdin, process.stdout)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
