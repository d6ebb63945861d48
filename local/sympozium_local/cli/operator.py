"""Asking a router, over the bus, what only an operator may ask."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sympozium.bus.nats import Address, NatsBus, connect, token_in
from sympozium.bus.ports import NoAnswerError
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.operate import (
    DEAD_LETTERS,
    OPERATOR_SERVICE_ACCOUNT,
    REPLIES,
    DeadAnswer,
    DeadRequest,
)
from sympozium.contract.resources import BUS_AUDIENCE, SERVICE_ACCOUNTS
from sympozium.contract.subjects import reply_prefix
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import SYSTEM_NAMESPACE_VARIABLE, path_of, system_namespace
from sympozium_local.cli.refusals import INSTALL, NotInstalledError
from sympozium_local.cli.target import find_target
from sympozium_local.cli.where import Where
from sympozium_local.system.home import read_json

URL_VARIABLE = "SYMPOZIUM_NATS_URL"
TOKEN_VARIABLE = "SYMPOZIUM_NATS_TOKEN_FILE"  # noqa: S105 - the name of a variable
BUS_SERVICE = "sympozium-nats"
BUS_PORT = 4222
PATIENCE_S = 10.0
ANSWER_TIMEOUT_S = 30.0
TOKEN_FOR_S = 600


@dataclass(frozen=True)
class Door:
    """Where the bus is, and what lets an operator in."""

    url: str
    token: Callable[[], str] = field(repr=False)


@contextmanager
def bus_door(where: Where, url: str) -> Iterator[Door]:
    """Yield the way to the bus of *url*, or with none to that of the cluster that is meant.

    In a cluster it leads through the API server, to a pod of the bus.

    Raises:
        NotRunningError: No system runs here, no cluster is named, and no *url* is given.
        PermanentError: A *url* is given, and no file with a token.
        ForbiddenError: The caller may not be an operator.
    """
    if url:
        yield _door_at(url)
        return
    target = find_target(where)
    token = _token(target.cluster)
    if target.instance:
        port = int(read_json(target.instance.home.ports)["nats"])
        yield Door(f"nats://127.0.0.1:{port}", lambda: token)
        return
    with bus_forwarded(target.cluster) as port:
        yield Door(f"nats://127.0.0.1:{port}", lambda: token)


@contextmanager
def bus_forwarded(cluster: Cluster, number: int = BUS_PORT) -> Iterator[int]:
    """Yield a local port that leads to port *number* of the bus."""
    from sympozium_local.cli.forwarding import forwarded
    from sympozium_local.cli.pods import port_behind

    namespace = system_namespace()
    try:
        port_behind(cluster, namespace, BUS_SERVICE, number)
    except NotFoundError:
        raise PermanentError(
            f"cannot find the bus: there is no Service {BUS_SERVICE!r} in namespace "
            f"{namespace!r}; where it is outside of the cluster, give --nats-url and "
            f"{TOKEN_VARIABLE}"
        ) from None
    with forwarded(
        cluster.endpoint, lambda: port_behind(cluster, namespace, BUS_SERVICE, number)
    ) as port:
        yield port


def _door_at(url: str) -> Door:
    file = os.environ.get(TOKEN_VARIABLE, "")
    read = token_in(Path(file)) if file else None
    if read is None:
        raise PermanentError(
            f"cannot ask the bus at {url!r}: {TOKEN_VARIABLE} is not set; name a file with a "
            f"token: kubectl -n {system_namespace()} create token {OPERATOR_SERVICE_ACCOUNT} "
            f"--audience {BUS_AUDIENCE} --duration 10m"
        )
    return Door(url, read)


def _token(cluster: Cluster) -> str:
    path = path_of(SERVICE_ACCOUNTS, system_namespace(), OPERATOR_SERVICE_ACCOUNT, "token")
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [BUS_AUDIENCE], "expirationSeconds": TOKEN_FOR_S},
    }
    try:
        return str(cluster.create(path, request)["status"]["token"])
    except NotFoundError:
        raise NotInstalledError(
            f"cannot ask about dead letters: there is no ServiceAccount "
            f"{OPERATOR_SERVICE_ACCOUNT!r} in namespace {system_namespace()!r}; where the system "
            f"is in another, set {SYSTEM_NAMESPACE_VARIABLE}; else install it: {INSTALL}"
        ) from None


class Operator:
    """Somebody at the command line, connected to the bus."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus

    async def ask(self, request: DeadRequest) -> DeadAnswer:
        """Return a router's answer.

        Raises:
            PermanentError: It will not do that; the text says why.
            TransientError: It cannot do that now, or no router answers.
        """
        try:
            data = await self._bus.request(
                DEAD_LETTERS,
                encode(request),
                timeout_s=ANSWER_TIMEOUT_S,
                again_after_s=ANSWER_TIMEOUT_S,  # a person decides whether it is asked again
            )
        except NoAnswerError as error:
            raise TransientError(
                "cannot ask about dead letters: no router answers; see `sympozium status`"
            ) from error
        answer = decode(data, DeadAnswer)
        if answer.error:
            raise (TransientError if answer.retry else PermanentError)(answer.error)
        return answer


@asynccontextmanager
async def operator(door: Door) -> AsyncIterator[Operator]:
    """Yield a connection as an operator.

    Raises:
        BusUnavailableError: The bus is not there, or does not let us in.
    """
    address = Address(door.url, "operator", reply_prefix(*REPLIES), token=door.token)
    async with connect(address, patience_s=PATIENCE_S) as bus:
        yield Operator(bus)
