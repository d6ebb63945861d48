"""Connections to a port of a pod through the API server, as `kubectl port-forward` makes them.

Nothing but the API server has to be reachable, and the caller's rights decide. The service
proxy would not do: it takes the `Authorization` header away that the web chat asks for.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import aiohttp

from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium.contract.resources import PODS
from sympozium.kube.errors import ForbiddenError
from sympozium_local.cli.access.endpoint import Endpoint
from sympozium_local.cli.paths import path_of, system_namespace
from sympozium_local.cli.refusals import EDIT_ROLE, OPERATE_ROLE

PROTOCOL = "v4.channel.k8s.io"
"""A frame's first byte says what it belongs to: data (0) or errors (1) of the one port.

The first frame of each is the port's number, which we know.
Source: k8s.io/kubelet/pkg/cri/streaming/portforward/websocket.go
"""

OPEN_TIMEOUT_S = 15.0
_READ_BYTES = 32 * 1024
_DATA, _ERROR = 0, 1
_PORT_BYTES = 2
_BROKEN = (aiohttp.ClientError, OSError)
"""Either side went away; the other is told by the connection's end."""


@dataclass(frozen=True)
class PodPort:
    """A port of a pod."""

    namespace: str
    pod: str
    port: int


@contextmanager
def forwarded(endpoint: Endpoint, find: Callable[[], PodPort]) -> Iterator[int]:
    """Listen on a free port of 127.0.0.1 while the block lasts, and yield it.

    Each connection to it is one to the pod that *find* returns then: after a pod has been
    replaced, the next connection reaches the new one.

    Raises:
        ForbiddenError: The caller may not forward.
        TransientError: The API server or the pod's node does not do it now.
        SympoziumError: What *find* raises.
    """
    forwarder = _Forwarder(endpoint, find)
    thread = threading.Thread(target=forwarder.run, name="forwarding", daemon=True)
    thread.start()
    try:
        yield forwarder.port.result()
    finally:
        forwarder.stop()
        thread.join(OPEN_TIMEOUT_S)


class _Forwarder:
    """An event loop in a thread of its own, for commands that have none.

    Attributes:
        port: Where it listens, or why it does not.
    """

    def __init__(self, endpoint: Endpoint, find: Callable[[], PodPort]) -> None:
        self.port: Future[int] = Future()
        self._endpoint = endpoint
        self._find = find
        self._stop: Callable[[], object] = lambda: None

    def run(self) -> None:
        """Serve until `stop` is called."""
        try:
            asyncio.run(self._serve())
        except (SympoziumError, OSError) as error:
            if not self.port.done():
                self.port.set_exception(error)

    def stop(self) -> None:
        """End, with all connections."""
        with suppress(RuntimeError):  # it has ended by itself
            self._stop()

    async def _serve(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        async with aiohttp.ClientSession() as session:
            async with self._opened(session):  # so that a refusal is told at once
                pass

            async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await self._carry(session, reader, writer)

            server = await asyncio.start_server(carry, "127.0.0.1", 0)
            self.port.set_result(server.sockets[0].getsockname()[1])
            await stopped.wait()
            server.close()  # what is open ends with the loop

    async def _carry(
        self,
        session: aiohttp.ClientSession,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Carry one connection; where that cannot be done it is closed, as a dead pod would."""
        try:
            with suppress(SympoziumError):
                async with self._opened(session) as socket, asyncio.TaskGroup() as group:
                    sending = group.create_task(_send(reader, socket))
                    await _receive(socket, writer)
                    sending.cancel()
        finally:
            writer.close()

    @asynccontextmanager
    async def _opened(
        self, session: aiohttp.ClientSession
    ) -> AsyncIterator["aiohttp.ClientWebSocketResponse[bool]"]:
        at = await asyncio.to_thread(self._find)
        path = path_of(PODS, at.namespace, at.pod, "portforward")
        endpoint = self._endpoint
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                socket = await session.ws_connect(
                    f"{endpoint.server}{path}?ports={at.port}",
                    protocols=(PROTOCOL,),
                    headers=await asyncio.to_thread(endpoint.identity.headers),
                    ssl=endpoint.tls or True,
                    server_hostname=endpoint.server_name or None,
                    proxy=endpoint.proxy or None,
                    max_msg_size=0,
                )
        except aiohttp.WSServerHandshakeError as error:
            raise _refusal(at, error.status) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(
                f"cannot reach pod {at.pod!r} through the API server: {type(error).__name__}; "
                "try again in a moment"
            ) from error
        async with socket:
            yield socket


async def _send(
    reader: asyncio.StreamReader, socket: "aiohttp.ClientWebSocketResponse[bool]"
) -> None:
    with suppress(*_BROKEN):
        while data := await reader.read(_READ_BYTES):
            await socket.send_bytes(bytes([_DATA]) + data)
            await asyncio.sleep(0)  # or a connection that is lost is never heard of
        await socket.close()


async def _receive(
    socket: "aiohttp.ClientWebSocketResponse[bool]", writer: asyncio.StreamWriter
) -> None:
    begun = set()
    with suppress(*_BROKEN):
        async for message in socket:
            frame = message.data
            if not isinstance(frame, bytes) or not frame:
                return
            channel, data = frame[0], frame[1:]
            if channel not in begun:
                begun.add(channel)
                data = data[_PORT_BYTES:]
            if channel == _ERROR and data:
                return
            writer.write(data)
            await writer.drain()


def _refusal(at: PodPort, status: int) -> Exception:
    what = f"cannot forward to port {at.port} of pod {at.pod!r} in namespace {at.namespace!r}"
    if status in {401, 403}:
        role = OPERATE_ROLE if at.namespace == system_namespace() else EDIT_ROLE
        return ForbiddenError(
            f"{what}: you may not (HTTP {status}); ask for the role {role!r} there, which has "
            "get and create on pods/portforward"
        )
    if status == 404:
        return TransientError(f"{what}: the pod is gone; try again in a moment")
    if status >= 500:
        return TransientError(f"{what}: its node does not answer (HTTP {status}); try again")
    return PermanentError(
        f"{what}: the API server answers HTTP {status}; use kubectl port-forward instead"
    )
