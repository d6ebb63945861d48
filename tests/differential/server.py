"""An API server to ask, and how to reach a real one."""

import base64
import os
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

AGENT = "differential/1"
"""The User-Agent, from which a server takes the name of the field manager."""

MAX_LINE_BYTES = 2**22


@dataclass(frozen=True)
class Server:
    """What a case needs to ask one server as its administrator."""

    url: str
    session: aiohttp.ClientSession
    stranger: aiohttp.ClientSession
    """For requests that bring their own credentials, or none."""
    kubeconfig: Path


@asynccontextmanager
async def real_server(kubeconfig: Path) -> AsyncIterator[Server]:
    """Connect to the cluster of the current context of *kubeconfig*."""
    config = yaml.safe_load(kubeconfig.read_text())  # noqa: ASYNC240 - nothing else runs yet
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as file:  # a certificate can only be loaded from a file
        for part in ("client-certificate-data", "client-key-data"):
            file.write(base64.b64decode(user[part]))
        file.flush()
        context.load_cert_chain(file.name)
    unknown = ssl.create_default_context(cadata=authority)
    async with client_session(context, {}) as session, client_session(unknown, {}) as stranger:
        yield Server(cluster["server"], session, stranger, kubeconfig)


@asynccontextmanager
async def client_session(
    context: ssl.SSLContext, headers: dict[str, Any]
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session that sends *headers* with every request."""
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        headers={"User-Agent": AGENT, **headers},
        read_bufsize=MAX_LINE_BYTES,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
    ) as session:
        yield session


def cluster_kubeconfig() -> Path | None:
    """Return the kubeconfig of the real cluster that the environment names, if it names one."""
    path = os.environ.get("KUBECONFIG", "")
    return Path(path) if path and Path(path).exists() else None
