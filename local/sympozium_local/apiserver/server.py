"""Start and stop the API server."""

import asyncio
import fcntl
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from sympozium.contract.errors import PermanentError
from sympozium.runtime.logs import redact
from sympozium_local.apiserver import bootstrap, crds, pki
from sympozium_local.apiserver.admission import AdmissionChain
from sympozium_local.apiserver.authn import Authenticator
from sympozium_local.apiserver.builtin import BUILTIN
from sympozium_local.apiserver.discovery import Discovery
from sympozium_local.apiserver.garbage import Collector
from sympozium_local.apiserver.gateway import Gateway, Parts
from sympozium_local.apiserver.matching import Matcher
from sympozium_local.apiserver.objects import Objects
from sympozium_local.apiserver.policies import Policies
from sympozium_local.apiserver.rbac import Authorizer
from sympozium_local.apiserver.registry import Registry
from sympozium_local.apiserver.rest import Rest
from sympozium_local.apiserver.reviews import Reviews
from sympozium_local.apiserver.store import Store
from sympozium_local.apiserver.subresources import Subresources
from sympozium_local.apiserver.watch import Watches
from sympozium_local.apiserver.webhooks import Webhooks

HOST = "127.0.0.1"
SHUTDOWN_TIMEOUT_S = 0.5
"""How long requests in flight may still take at the end; watches end at once."""

KEEPALIVE_S = 600


@dataclass(frozen=True)
class Endpoint:
    """How to reach a running server.

    Attributes:
        token_file: The administrator's; those of other programs lie beside it.
        kubeconfig: The administrator's.
    """

    url: str
    ca_file: Path
    token_file: Path
    kubeconfig: Path


@asynccontextmanager
async def serve(data_dir: Path, *, port: int = 0) -> AsyncIterator[Endpoint]:
    """Serve the objects below *data_dir* on 127.0.0.1 as long as the context lasts.

    Raises:
        PermanentError: Another server uses *data_dir*, or the port is taken.
    """
    keys = pki.load(data_dir)
    redact(keys.token_key.decode(), *keys.tokens.values())
    async with (
        _locked(data_dir),
        _store(data_dir / "objects.db") as store,
        aiohttp.ClientSession() as session,
    ):
        registry = Registry(BUILTIN)
        watches = Watches(store)
        registry.listen(watches.forget)
        for row in store.select(crds.KEY):
            registry.install(row.name, crds.served_kinds(row.object()))
        store.listen(lambda change: crds.follow(registry, store, change))
        authorizer = Authorizer(store)
        matcher = Matcher(store, registry)
        policies, webhooks = Policies(store, matcher), Webhooks(store, matcher, session)
        admission = AdmissionChain(store, authorizer, policies, webhooks)
        objects = Objects(store, registry, admission, keys.ca_file.read_text())
        await bootstrap.restore(objects, registry)
        authenticator = Authenticator(store, keys.tokens, keys.token_key)
        parts = Parts(
            authenticator=authenticator,
            authorizer=authorizer,
            registry=registry,
            discovery=Discovery(registry),
            rest=Rest(store, watches, objects),
            reviews=Reviews(authenticator, authorizer),
            subresources=Subresources(objects, registry, authenticator, data_dir / "kubelet.sock"),
        )
        async with (
            _running(Collector(store, registry, objects).run),
            _listening(Gateway(parts), keys, port) as actual_port,
        ):
            yield _endpoint(data_dir, keys, actual_port)
            watches.close()


@asynccontextmanager
async def _running(loop: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run *loop* beside the body, whose errors come out as they are and not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_forever(loop))
            try:
                yield
            finally:
                task.cancel()
    except BaseExceptionGroup as errors:
        if len(errors.exceptions) == 1:
            raise errors.exceptions[0] from None
        raise


async def _forever(loop: Callable[[], Awaitable[None]]) -> None:
    await loop()


@asynccontextmanager
async def _store(path: Path) -> AsyncIterator[Store]:
    store = Store(path)
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def _locked(data_dir: Path) -> AsyncIterator[None]:
    with _lock(data_dir):
        yield


@contextmanager
def _lock(data_dir: Path) -> Iterator[None]:
    with (data_dir / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermanentError(
                f"cannot serve {str(data_dir)!r}: another API server uses it; stop that one first"
            ) from error
        yield


@asynccontextmanager
async def _listening(gateway: Gateway, keys: pki.Pki, port: int) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(keys.cert_file, keys.key_file)
    server = web.Server(
        gateway.handle,
        handler_cancellation=True,  # or a watch of a client that left would stay
        access_log=None,
        keepalive_timeout=KEEPALIVE_S,
    )
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, port, ssl_context=context)
        try:
            await site.start()
        except OSError as error:
            raise PermanentError(
                f"cannot listen on {HOST}:{port}: {error.strerror}; choose another port"
            ) from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _endpoint(data_dir: Path, keys: pki.Pki, port: int) -> Endpoint:
    url = f"https://{HOST}:{port}"
    for name in pki.TOKEN_NAMES:
        text = yaml.safe_dump(_kubeconfig(url, keys, name))
        path = data_dir / f"{name}.kubeconfig"
        if not path.exists() or path.read_text() != text:
            pki.write_private(path, text)
    return Endpoint(url, keys.ca_file, keys.token_dir / "admin", data_dir / "admin.kubeconfig")


def _kubeconfig(url: str, keys: pki.Pki, user: str) -> dict[str, object]:
    name = "sympozium"
    cluster = {"server": url, "certificate-authority": str(keys.ca_file.absolute())}
    context = {"cluster": name, "user": user, "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": keys.tokens[user]}}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
    }
