"""Tokens: whose they are, for how long that is believed, and what ends with them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from sympozium.bus.admin import ensure_bus
from sympozium.bus.nats import Address, connect
from sympozium.bus.server import CALLOUT_SUBJECT, Issuer, ServerAccess, new_issuer, server_config
from sympozium.contract.errors import PermanentError
from sympozium.contract.names import RunUid
from sympozium.contract.subjects import reply_prefix, run_out
from sympozium.kube.client import connect as connect_kube
from sympozium.kube.endpoint import Endpoint
from sympozium.kube.errors import UnavailableError
from sympozium_controller.identity.grants import grants_of
from sympozium_controller.identity.jwt import Signer, read_request
from sympozium_controller.identity.reviews import MAX_AGE, Reviews, TokenRefusedError
from sympozium_controller.identity.who import RunIdentity
from sympozium_local.apiserver.server import serve
from tests.controller.cluster import NAMESPACE, SYSTEM_NAMESPACE, Cluster
from tests.fixtures.nats_server import NatsServer

PASSWORD = "a-password-for-the-controller"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


async def test_a_bearer_is_who_the_api_server_says(cluster: Cluster) -> None:
    token = await cluster.token("sympozium-router", namespace=SYSTEM_NAMESPACE, audience="nats")
    bearer = await Reviews(cluster.kube).bearer(token)
    assert (bearer.namespace, bearer.service_account) == (SYSTEM_NAMESPACE, "sympozium-router")
    assert bearer.pod_name == ""
    assert timedelta(minutes=59) < bearer.expires - datetime.now(UTC) < timedelta(minutes=61)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.b.c"])
async def test_what_is_no_token_is_refused(cluster: Cluster, token: str) -> None:
    with pytest.raises(TokenRefusedError):
        await Reviews(cluster.kube).bearer(token)


async def test_a_known_token_is_believed_while_the_api_server_is_away_and_no_longer_than_it_lives(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with AsyncExitStack() as server:
        endpoint = await server.enter_async_context(serve(tmp_path))
        administrator = Endpoint(endpoint.url, endpoint.ca_file, endpoint.token_file)
        async with connect_kube(administrator) as kube:
            cluster = Cluster(kube, endpoint.url, endpoint.ca_file, tmp_path)
            await cluster.install()
            known, unknown = [
                await cluster.token(name, namespace=SYSTEM_NAMESPACE, audience="nats")
                for name in ("sympozium-router", "sympozium-controller")
            ]
            reviews = Reviews(kube, clock)
            bearer = await reviews.bearer(known)
            await server.aclose()
            clock.now += MAX_AGE
            assert await reviews.bearer(known) == bearer
            with pytest.raises(UnavailableError):
                await reviews.bearer(unknown)
            clock.now = bearer.expires
            with pytest.raises(UnavailableError):
                await reviews.bearer(known)


async def test_a_token_that_has_expired_is_not_remembered(cluster: Cluster) -> None:
    clock = Clock()
    reviews = Reviews(cluster.kube, clock)
    tokens = [
        await cluster.token(name, namespace=SYSTEM_NAMESPACE, audience="nats")
        for name in ("sympozium-router", "sympozium-controller")
    ]
    first = await reviews.bearer(tokens[0])
    assert reviews.remembered == 1
    clock.now = first.expires + timedelta(minutes=1)
    await reviews.bearer(tokens[1])
    assert reviews.remembered == 0


@asynccontextmanager
async def bus_with(issuer: Issuer, directory: Path) -> AsyncIterator[NatsServer]:
    """Yield a secured server."""
    server = NatsServer(directory)
    access = ServerAccess(issuer.public_key, "controller", PASSWORD)
    server.config = server_config(access, port=server.port, data_dir=directory)
    await server.start()
    try:
        yield server
    finally:
        server.kill()


async def admit_for(client: Client, signer: Signer, lives: Iterator[timedelta]) -> list[str]:
    """Admit every connection as a run, each for the next of *lives*; return the tokens seen."""
    tokens: list[str] = []

    async def answer(message: Msg) -> None:
        request, now = read_request(message.data), datetime.now(UTC)
        tokens.append(request.token)
        grants = grants_of(RunIdentity(NAMESPACE, RunUid("u-1"), "pod", "p-1"))
        until = now + next(lives)
        await message.respond(signer.admit(request, "run", grants, now=now, until=until))

    await client.subscribe(CALLOUT_SUBJECT, cb=answer)
    await client.flush()
    await client.flush()
    return tokens


async def test_a_connection_outlives_its_credential_with_the_renewed_token(tmp_path: Path) -> None:
    issuer = new_issuer()
    fresh = chain(["first", "second"], repeat("later"))
    lives = chain([timedelta(seconds=1)], repeat(timedelta(hours=1)))
    async with bus_with(issuer, tmp_path) as server:
        own = Address(
            server.url,
            "controller",
            reply_prefix("controller"),
            user="controller",
            password=PASSWORD,
        )
        run = Address(server.url, "run", reply_prefix("run", NAMESPACE, "u-1"), lambda: next(fresh))
        async with connect(own) as controller:
            await ensure_bus(controller.client)
            signer = Signer(issuer.seed)
            tokens = await admit_for(controller.client, signer, lives)
            async with connect(run) as bus:
                async with asyncio.timeout(10):
                    while len(tokens) < 2:  # noqa: ASYNC110 - the server ends the connection
                        await asyncio.sleep(0.02)
                    while not bus.is_connected:  # noqa: ASYNC110 - nor does the client say so
                        await asyncio.sleep(0.02)
                await bus.publish(run_out(NAMESPACE, RunUid("u-1")), b"x", message_id="1")
    assert tokens[:2] == ["first", "second"]


@pytest.mark.parametrize("data", [b"", b"x", b"a.b.c", b"\xff.\xff.\xff"])
def test_a_question_that_no_server_signed_is_not_read(data: bytes) -> None:
    with pytest.raises(PermanentError):
        read_request(data)


def test_a_seed_that_is_none_is_said_without_showing_it() -> None:
    with pytest.raises(PermanentError, match="SYMPOZIUM_NATS_ISSUER_SEED") as caught:
        Signer("SANOTASEED")
    assert "SANOTASEED" not in str(caught.value)
