"""Who may talk to the page: programs of this machine and the page itself, no other website.

A browser lets any website send requests to 127.0.0.1. Three things keep those
out: the `Host` must be a name of ours (a foreign name that its owner points at
127.0.0.1 is not), the `Origin` must be the page itself, and the browser's own
word `Sec-Fetch-Site` must not say that another site asks. No answer carries a
CORS header, so what slips through cannot be read.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from sympozium_web.refusals import (
    HOST_NOT_ALLOWED,
    ORIGIN_NOT_ALLOWED,
    TOKEN_REQUIRED,
    RequestRefusedError,
)

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""What a kubelet asks, under whatever name and without any token."""

API_PREFIX = "/api/"


@dataclass(frozen=True)
class Gate:
    """Decides from a request's path and headers whether it is let in.

    Attributes:
        hosts: Accepted `Host` headers, lower case; one without a port is good for any.
        token: The bearer that `/api/` asks for; empty: none.
    """

    hosts: frozenset[str]
    token: str = ""

    def check(self, path: str, headers: Mapping[str, str]) -> None:
        """Return if the request is let in.

        Raises:
            RequestRefusedError: It is not; 403 for where it comes from, 401 for the token.
        """
        if path in OPEN_PATHS:
            return
        host = headers.get("Host", "").lower()
        if not self._is_ours(host):
            raise RequestRefusedError(HOST_NOT_ALLOWED)
        if path.startswith(API_PREFIX):
            _check_site(host, headers)
            self._check_token(headers.get("Authorization", ""))

    def _is_ours(self, host: str) -> bool:
        return host in self.hosts or _without_port(host) in self.hosts

    def _check_token(self, authorization: str) -> None:
        if not self.token:
            return
        scheme, _, presented = authorization.partition(" ")
        given = presented.strip().encode(errors="surrogateescape")  # a header may be any bytes
        is_right = hmac.compare_digest(given, self.token.encode())
        if scheme.lower() != "bearer" or not is_right:
            raise RequestRefusedError(TOKEN_REQUIRED)


def gate_for(port: int, allowed_hosts: tuple[str, ...], token: str) -> Gate:
    """Return the gate of a channel that listens on *port*."""
    loopback = {f"{name}:{port}" for name in LOOPBACK_NAMES}
    if port == 80:  # which browsers leave out
        loopback |= set(LOOPBACK_NAMES)
    return Gate(frozenset(loopback | set(allowed_hosts)), token)


def middleware(gate: Gate) -> Middleware:
    """Return the aiohttp middleware that asks *gate* before anything else happens."""

    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        gate.check(request.path, request.headers)
        return await handler(request)

    return let_in


def _check_site(host: str, headers: Mapping[str, str]) -> None:
    origin = headers.get("Origin")
    asked_by = headers.get("Sec-Fetch-Site", "none").lower()
    is_page = origin is None or origin.lower() in {f"http://{host}", f"https://{host}"}
    if not is_page or asked_by not in {"same-origin", "none"}:
        raise RequestRefusedError(ORIGIN_NOT_ALLOWED)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
