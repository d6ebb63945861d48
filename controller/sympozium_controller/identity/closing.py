"""Closing the connections of runs that are over: a grant ends with its run, not with its token.

A run's bridge closes its own connection. What is still open some seconds after the run or
its pod has ended is held by somebody else, or by a bridge that nobody ends.

Who is connected is asked of the servers, once for all runs that ended within a few seconds,
and not at all while none does. Every controller does so: what one admitted that is gone, the
others close, and none needs to know who admitted whom.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import nats.errors
from nats.aio.client import Client

from sympozium.bus.cancelled import heed_cancellation
from sympozium.bus.ports import BusUnavailableError
from sympozium.bus.server import CONNECTIONS_SUBJECT, kick_subject
from sympozium.contract.errors import TransientError
from sympozium.contract.resources import Object
from sympozium.kube.informer import Key, Listener
from sympozium.kube.tenants import TenantInformer
from sympozium.runtime.loops import pause, until_any
from sympozium_controller.identity.directory import Directory
from sympozium_controller.identity.who import run_of
from sympozium_controller.runs.view import is_finished_run, read_pod

log = logging.getLogger(__name__)

GATHER_S = 4.0
"""How long after an end connections are looked at; ends in between are looked at together.

Longer than an admission takes (`ANSWER_TIMEOUT_S`): whoever was found to be at work before
the end is connected by then. And a bridge has the time to close its own.
"""

ANSWER_TIMEOUT_S = 5.0
"""How long a server may take to say who is connected, or to close a connection."""

FURTHER_S = 0.5
"""How long servers beyond those that we know of are waited for."""

MAX_CONNECTIONS = 16_384
"""Connections that one server tells of at once."""


@dataclass(frozen=True)
class Connection:
    """One connection to the bus.

    Attributes:
        id: Given by its server, and never again.
        name: Whom we admitted; see `name_of`.
    """

    server_id: str
    id: int
    name: str


class _Server(msgspec.Struct):
    id: str


class _Client(msgspec.Struct):
    cid: int
    authorized_user: str = ""


class _Clients(msgspec.Struct):
    connections: list[_Client] = []


class _Told(msgspec.Struct):
    server: _Server
    data: _Clients


class Closing:
    """Has the servers close what runs that are over leave open.

    Args:
        servers: How many have to answer before all connections are known.
    """

    def __init__(
        self, client: Client, directory: Directory, *, servers: int, gather_s: float = GATHER_S
    ) -> None:
        self._client = client
        self._directory = directory
        self._servers = servers
        self._gather_s = gather_s
        self._has_some = asyncio.Event()
        self._has_some.set()  # what ended while nobody looked

    def heed(self, runs: TenantInformer, pods: TenantInformer) -> None:
        """Look at the connections whenever one of *runs* or *pods* has ended or is gone."""
        runs.listen(self._when_over(is_finished_run))
        pods.listen(self._when_over(lambda pod: read_pod(pod).has_ended))

    async def run(self, stop: asyncio.Event) -> None:
        """Close what is left open until *stop* is set; nothing is asked while nothing ends.

        The copies must be complete.
        """
        while not stop.is_set():
            await until_any(self._has_some, stop)
            await pause(self._gather_s, stop)
            if stop.is_set():
                return
            self._has_some.clear()
            try:
                await self._look()
            except (TransientError, TimeoutError, nats.errors.Error) as error:
                cause = str(error) or type(error).__name__
                log.warning("connections not seen", extra={"action": "retry", "cause": cause})
                self._has_some.set()

    def _when_over(self, is_over: Callable[[Object], bool]) -> Listener:
        def changed(_: Key, old: Object | None, new: Object | None) -> None:
            if old is not None and not is_over(old) and (new is None or is_over(new)):
                self._has_some.set()

        return changed

    async def _look(self) -> None:
        connections, missing = await self._connections()
        for connection in connections:
            identity = run_of(connection.name)
            if identity is not None and await self._directory.is_over(identity):
                await self._close(connection)
        if missing:
            raise BusUnavailableError(f"cannot see all connections: {missing} servers are away")

    async def _connections(self) -> tuple[list[Connection], int]:
        """Return the connections that servers tell of, and how many servers tell nothing."""
        question = json.dumps({"auth": True, "limit": MAX_CONNECTIONS}).encode()
        inbox, answers = self._client.new_inbox(), 0
        connections: list[Connection] = []
        subscription = await self._client.subscribe(inbox)
        try:
            await self._client.publish(CONNECTIONS_SUBJECT, question, reply=inbox)
            while True:
                is_all = answers >= self._servers
                timeout_s = FURTHER_S if is_all else ANSWER_TIMEOUT_S
                message = await subscription.next_msg(timeout=timeout_s)
                heed_cancellation()
                answers += 1
                told = msgspec.json.decode(message.data, type=_Told)
                connections += [
                    Connection(told.server.id, one.cid, one.authorized_user)
                    for one in told.data.connections
                ]
        except nats.errors.TimeoutError:
            return connections, max(0, self._servers - answers)
        finally:
            if not self._client.is_closed:
                await subscription.unsubscribe()

    async def _close(self, connection: Connection) -> None:
        """Have a connection closed. That it is closed already is success."""
        request = json.dumps({"cid": connection.id}).encode()
        extra = {"action": "close", "identity": connection.name}
        try:
            await self._client.request(
                kick_subject(connection.server_id), request, timeout=ANSWER_TIMEOUT_S
            )
        except nats.errors.NoRespondersError:
            log.warning(
                "connection of a run that is over stays: its server is gone, or lets nobody "
                "close one; docs/install.md says what a server of your own needs",
                extra=extra,
            )
            return
        heed_cancellation()
        log.warning("connection of a run that is over was closed", extra=extra)
