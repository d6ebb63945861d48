"""Asking a router, over the bus, what only an operator may ask."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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
from sympozium.contract.resources import BUS_AUDIENCE
from sympozium.contract.subjects import reply_prefix
from sympozium_local.cli.cluster import connect as connect_cluster
from sympozium_local.cli.instance import need_instance
from sympozium_local.system.home import read_json
from sympozium_local.system.manifests import SYSTEM_NAMESPACE

URL_VARIABLE = "SYMPOZIUM_NATS_URL"
TOKEN_VARIABLE = "SYMPOZIUM_NATS_TOKEN_FILE"  # noqa: S105 - the name of a variable
PATIENCE_S = 10.0
ANSWER_TIMEOUT_S = 30.0
TOKEN_FOR_S = 600


@dataclass(frozen=True)
class Door:
    """Where the bus is, and what lets an operator in."""

    url: str
    token: Callable[[], str] = field(repr=False)


def find_door(url: str) -> Door:
    """Return the way to the bus of *url*, or with none to that of the running system.

    Raises:
        NotRunningError: No system runs here, and no *url* is given.
        PermanentError: A *url* is given, and no file with a token.
    """
    if url:
        file = os.environ.get(TOKEN_VARIABLE, "")
        read = token_in(Path(file)) if file else None
        if read is None:
            raise PermanentError(
                f"cannot ask the bus at {url!r}: {TOKEN_VARIABLE} is not set; name a file with a "
                f"token: kubectl -n {SYSTEM_NAMESPACE} create token {OPERATOR_SERVICE_ACCOUNT} "
                f"--audience {BUS_AUDIENCE} --duration 10m"
            )
        return Door(url, read)
    home = need_instance().home
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/serviceaccounts/{OPERATOR_SERVICE_ACCOUNT}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": [BUS_AUDIENCE], "expirationSeconds": TOKEN_FOR_S},
    }
    token = str(connect_cluster(home.kubeconfig).create(path, request)["status"]["token"])
    return Door(f"nats://127.0.0.1:{read_json(home.ports)['nats']}", lambda: token)


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
