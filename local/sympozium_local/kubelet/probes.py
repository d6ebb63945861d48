"""Asking a container whether it has started, is ready, is alive."""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sympozium.contract.resources import Object

_MAX_ANSWER_BYTES = 10 * 1024
_LOCAL_HOSTS = {"", "127.0.0.1", "localhost"}

_SOON_S = 0.1
"""A start is asked about so often between its periods, of which the shortest is a second.

Others wait for it, and no answer but a good one counts there.
"""


class ProbeTarget:
    """A running container, as far as probes need it."""

    def __init__(
        self,
        dial: Callable[[int], Awaitable[socket.socket]],
        execute: Callable[[list[str], int], Awaitable[int]],
        named_ports: dict[str, int],
    ) -> None:
        self.dial = dial
        self._execute = execute
        self._named_ports = named_ports

    async def run_command(self, argv: list[str]) -> tuple[int, str]:
        """Run *argv* in the container; return its exit code and the first of its output."""
        output_r, output_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            code = await self._execute(argv, output_w)
            text = b""
            with suppress(BlockingIOError):
                text = os.read(output_r, _MAX_ANSWER_BYTES)
            return code, text.decode(errors="replace")
        finally:
            os.close(output_r)
            os.close(output_w)

    def port(self, wanted: int | str) -> int:
        """Return the number of a port that may be given by name."""
        return self._named_ports[wanted] if wanted in self._named_ports else int(wanted)


async def probe(spec: Object, target: ProbeTarget) -> str:
    """Ask once; return "" if the answer is good, else what to tell people."""
    try:
        async with asyncio.timeout(spec.get("timeoutSeconds") or 1):
            if "exec" in spec:
                code, text = await target.run_command(spec["exec"]["command"])
                return "" if code == 0 else f"command exited with {code}: {text[:200]}".strip()
            if "tcpSocket" in spec:
                _check_host(spec["tcpSocket"])
                (await target.dial(target.port(spec["tcpSocket"]["port"]))).close()
                return ""
            if "httpGet" in spec:
                return await _ask_http(spec["httpGet"], target)
    except TimeoutError:
        return "no answer in time"
    except (OSError, ValueError) as error:
        return str(error)
    return f"this node cannot probe by {', '.join(spec)}"


def _check_host(spec: Object) -> None:
    if spec.get("host", "") not in _LOCAL_HOSTS:
        raise ValueError(f"this node probes only the container itself, not host {spec['host']!r}")


async def _ask_http(spec: Object, target: ProbeTarget) -> str:
    _check_host(spec)
    sock = await target.dial(target.port(spec["port"]))
    context = None
    if spec.get("scheme") == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    name = "localhost" if context else None
    reader, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
    try:
        given = {h["name"]: h["value"] for h in spec.get("httpHeaders") or ()}
        headers = {"Host": "localhost", "User-Agent": "kube-probe", "Accept": "*/*"} | given
        lines = [f"GET {spec.get('path') or '/'} HTTP/1.1", "Connection: close"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        code = int((await reader.readline()).split(b" ")[1])
        return "" if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"
    except IndexError:
        return "the answer is not HTTP"
    finally:
        writer.close()


async def has_started(spec: Object, target: ProbeTarget) -> str:
    """Ask every period until the container has started; return "" or, in the end, why not."""
    await asyncio.sleep(spec.get("initialDelaySeconds") or 0)
    left = spec.get("failureThreshold") or 3
    while message := await probe(spec, target):
        left -= 1
        if not left:
            return message
        if await _passes_meanwhile(spec, target):
            return ""
    return ""


async def _passes_meanwhile(spec: Object, target: ProbeTarget) -> bool:
    """Wait for the next period; return at once if the answer is good before."""
    loop = asyncio.get_running_loop()
    end = loop.time() + (spec.get("periodSeconds") or 10)
    while "exec" not in spec and end - loop.time() > _SOON_S:
        await asyncio.sleep(_SOON_S)
        if not await probe(spec, target):
            return True
    await asyncio.sleep(max(0.0, end - loop.time()))
    return False


async def watch(
    spec: Object, target: ProbeTarget, *, until: Callable[[str], bool], passing: bool
) -> str:
    """Ask every period until *until*, called whenever the verdict turns, returns True.

    *until* gets "" or what to tell people. *passing* is what counts as the verdict before the
    first answer. A threshold of answers in a row turns it. Return the last answer.
    """
    await asyncio.sleep(spec.get("initialDelaySeconds") or 0)
    needed = {True: spec.get("successThreshold") or 1, False: spec.get("failureThreshold") or 3}
    verdict: bool | None = True if passing else None
    in_a_row, previous = 0, True
    while True:
        message = await probe(spec, target)
        passes = not message
        in_a_row = in_a_row + 1 if passes == previous else 1
        previous = passes
        if passes != verdict and in_a_row >= needed[passes]:
            verdict = passes
            if until(message):
                return message
        await asyncio.sleep(spec.get("periodSeconds") or 10)
