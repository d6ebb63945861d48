"""Ports on 127.0.0.1: the web chat's is the user's choice, the others are found and kept."""

import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home, read_json, write_private

DEFAULT_WEB_PORT = 8400

_LASTING = range(10_000, 32_768)
"""Below those that the kernel gives to connections that go out: while a program is started again
nothing else must come to listen on, or to call from, its port.

Source: net.ipv4.ip_local_port_range
"""


@dataclass(frozen=True)
class Ports:
    """Where each program listens."""

    web: int
    api: int
    nats: int
    model: int
    controller: int
    router: int


def web_port(environ: Mapping[str, str] | None = None) -> int:
    """Return the port that `SYMPOZIUM_PORT` names, else 8400.

    Raises:
        StartError: It is no port.
    """
    text = (os.environ if environ is None else environ).get("SYMPOZIUM_PORT", "")
    if not text:
        return DEFAULT_WEB_PORT
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise StartError(
            f"cannot start: SYMPOZIUM_PORT is {text!r}; set it to a number from 1 to 65535"
        )
    return int(text)


def choose_ports(home: Home, *, web: int) -> Ports:
    """Return the ports for this start: those of the last one where they are free still.

    Raises:
        StartError: Another program listens on the web chat's port.
    """
    if not _is_free(web):
        example = web + 1 if web < 65535 else DEFAULT_WEB_PORT
        raise StartError(
            f"cannot start the web chat on port {web}: another program uses it; stop that "
            f"program, or choose another port, for example SYMPOZIUM_PORT={example} make up"
        )
    before = read_json(home.ports)
    taken = {web}
    chosen: dict[str, int] = {"web": web}
    for name in (field.name for field in fields(Ports) if field.name != "web"):
        port = before.get(name)
        if not isinstance(port, int) or port in taken or not _is_free(port):
            port = _any_free(taken)
        taken.add(port)
        chosen[name] = port
    ports = Ports(**chosen)
    write_private(home.ports, json.dumps(asdict(ports)))
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def _any_free(taken: set[int]) -> int:
    while True:
        port = secrets.choice(_LASTING)
        if port not in taken and _is_free(port):
            return port
