"""The chart on a real cluster for a measurement: installed, with a model in this very process.

The measurements are run in the network of a cluster that is up:

    python -m tests.kube.run --name NAME --keep tests/kube/test_images.py    images, chart
    ../shared/kube/cluster exec --name NAME -- python -m tests.bench.kube_times --name NAME
"""

import json
import re
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from typing_extensions import override

from sympozium.contract.resources import Object
from sympozium_local.demo_model.script import Behaviour, Script
from sympozium_local.demo_model.server import serve
from sympozium_local.demo_model.wire import Request
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import free_port
from tests.fixtures.system import PLANTED_KEY
from tests.kube.cluster import Clients, KubeCluster
from tests.kube.images import provide
from tests.kube.relay import exposed
from tests.kube.release import SYSTEM_NAMESPACE, install
from tests.kube.system import RealSystem

OURS = re.compile(rf"system:serviceaccount:({SYSTEM_NAMESPACE}:sympozium-.*|.*:sympozium-.*)")
"""Who is a program of ours, as the audit log names it."""

WRITES = ("create", "update", "patch", "delete", "deletecollection")


class Clocked(Script):
    """A script that notes when it was asked."""

    def __init__(self) -> None:
        super().__init__([Behaviour(match="measure", answer="one two three")])
        self.asked: list[float] = []

    @override
    def choose(self, request: Request) -> Behaviour:
        self.asked.append(time.time())
        return super().choose(request)


@dataclass(frozen=True)
class Installed:
    """A release, somebody in front of it, and the model behind it."""

    cluster: KubeCluster
    system: RealSystem
    person: Person
    model: Clocked = field(default_factory=Clocked)

    def audit(self, since: float, until: float) -> list["Asked"]:
        """Return the finished requests to the API server that came between two moments."""
        return list(_requests(self.cluster.tool("logs", "audit"), since, until))


@dataclass(frozen=True)
class Asked:
    """One request as the API server's audit log has it."""

    at: float
    done: float
    who: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int

    @property
    def is_ours(self) -> bool:
        """Whether a program of ours made it."""
        return OURS.fullmatch(self.who) is not None

    @property
    def program(self) -> str:
        """Who made it, in short."""
        return self.who.rpartition(":")[2]


def _requests(log: str, since: float, until: float) -> Iterator[Asked]:
    for line in log.splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # the line that is being written
            continue
        at = _seconds(event["requestReceivedTimestamp"])
        is_watch = event["verb"] == "watch"
        wanted = "ResponseStarted" if is_watch else "ResponseComplete"
        if since <= at <= until and event["stage"] == wanted:
            yield _request(event, at)


def _request(event: Object, at: float) -> Asked:
    target = event.get("objectRef") or {}
    resource = target.get("resource", event["requestURI"].partition("?")[0])
    if sub := target.get("subresource"):
        resource += f"/{sub}"
    return Asked(
        at=at,
        done=_seconds(event["stageTimestamp"]),
        who=event["user"]["username"],
        verb=event["verb"],
        resource=resource,
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=(event.get("responseStatus") or {}).get("code", 0),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC).timestamp()


@asynccontextmanager
async def installed(name: str) -> AsyncIterator[Installed]:
    """Yield the release in the cluster *name*, installed or upgraded."""
    cluster, model = KubeCluster(name), Clocked()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kubeconfig = folder / "config"
        kubeconfig.write_text(cluster.kubeconfig)
        clients = Clients(cluster.clients, kubeconfig)
        changed = provide(cluster, clients)
        port = free_port()
        await stack.enter_async_context(serve(port, script=model))
        stack.enter_context(exposed(port))
        release = install(clients, changed, folder, model_port=port, key=PLANTED_KEY)
        system = RealSystem(cluster, release, folder, "")
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=60), connector=aiohttp.TCPConnector(limit=0)
            )
        )
        yield Installed(cluster, system, Person(session, system.url, system.headers), model)
