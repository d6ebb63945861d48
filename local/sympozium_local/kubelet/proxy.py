"""The way of an isolated container to the internet: an HTTP proxy that names are resolved in.

It connects to the very address that it has checked, so a name that changes its address between
the check and the connection reaches nothing. What is not a public address is refused whatever
name led there, unless a policy names its block: the machine's networks, the metadata services of
clouds. The machine's loopback is refused always.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from sympozium_local.kubelet.forward import DIAL_TIMEOUT_S, Streams, relay
from sympozium_local.kubelet.policy import Internet

PROXY_PORT = 3128
_HEAD_TIMEOUT_S = 10.0
_MAX_HEAD_BYTES = 32 * 1024
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_env() -> dict[str, str]:
    """Return the variables that make common HTTP clients use the proxy."""
    url = f"http://127.0.0.1:{PROXY_PORT}"
    proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), url)
    return {**proxies, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


class RefusedError(PermissionError):
    """The destination may not be reached."""


async def serve_proxy(listening: socket.socket, internet: Internet) -> asyncio.Server:
    """Answer proxy requests on *listening* within what *internet* allows."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _answer((reader, writer), internet)
        except RefusedError as error:
            _refuse(writer, "403 Forbidden", str(error))
        except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            _refuse(writer, "400 Bad Request", "this is not a proxy request")
        except (OSError, TimeoutError):
            _refuse(writer, "502 Bad Gateway", "the destination does not answer")

    return await asyncio.start_server(answer, sock=listening, limit=_MAX_HEAD_BYTES)


async def _answer(client: Streams, internet: Internet) -> None:
    reader, writer = client
    async with asyncio.timeout(_HEAD_TIMEOUT_S):
        head = await reader.readuntil(b"\r\n\r\n")
    request, _, rest = head.partition(b"\r\n")
    method, target, version = request.decode("ascii").split(" ")
    if method == "CONNECT":
        destination = urlsplit(f"//{target}")
        there = await _connect(destination.hostname or "", destination.port or 443, internet)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        destination = urlsplit(target)
        if destination.scheme != "http":
            raise ValueError(target)
        there = await _connect(destination.hostname or "", destination.port or 80, internet)
        path = destination._replace(scheme="", netloc="").geturl() or "/"
        there[1].write(f"{method} {path} {version}\r\n".encode() + _one_request_only(rest))
    await relay(client, there)


def _one_request_only(headers: bytes) -> bytes:
    """Return *headers* such that the destination closes after one answer.

    A client may send requests for several destinations over one connection; the second would
    reach the first's destination.
    """
    dropped = (b"connection:", b"proxy-")
    kept = [line for line in headers.split(b"\r\n") if not line.lower().startswith(dropped)]
    return b"Connection: close\r\n" + b"\r\n".join(kept)


async def _connect(host: str, port: int, internet: Internet) -> Streams:
    if not internet.has_port(port):  # nor is its name asked for
        raise RefusedError(f"port {port} is not allowed by the NetworkPolicy")
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(DIAL_TIMEOUT_S):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
        for address in addresses:
            check_address(address, port, internet)
        return await asyncio.open_connection(str(addresses[0]), port)


def check_address(address: _Address, port: int, internet: Internet) -> None:
    """Return if the policy names *address*, or it is a public one that it does not exclude.

    Raises:
        RefusedError: It is not.
    """
    if any(block.holds(address, port) for block in internet.blocks):
        return
    if internet.ports is not None and port not in internet.ports:
        raise RefusedError(f"port {port} of {address} is not allowed by the NetworkPolicy")
    inner = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None) or address
    is_public = all(a.is_global and not a.is_multicast for a in (address, inner))
    is_translated = address in _TRANSLATED
    is_excluded = any(
        address.version == network.version and address in network for network in internet.excluded
    )
    if not is_public or is_translated or is_excluded:
        raise RefusedError(f"{address} is not a public address, or the NetworkPolicy excludes it")


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 addresses written as IPv6 ones, private ones among them. Source: RFC 6052."""


def _refuse(writer: asyncio.StreamWriter, status: str, why: str) -> None:
    body = why.encode() + b"\n"
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    if not writer.is_closing():
        writer.write(head.encode() + body)
        writer.close()
