"""The installed release as tests of pods see it, and the stage of attacks."""

import urllib.parse
from collections.abc import Iterator

import pytest

from sympozium.kube.client import Kube
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel, System
from tests.kube.at_work import ACTS, SLOW, Floor
from tests.kube.attacked import OURS, THEIRS, make_stranger, make_web_chat, started
from tests.kube.cluster import Clients, KubeCluster
from tests.kube.inside import LiveRun, Pod, agent, have_the_model_take_its_time
from tests.kube.release import Release, make_tenant


@pytest.fixture
async def floor(
    kube_cluster: KubeCluster,
    kube_clients: Clients,
    system: System,
    kube: Kube,
    person: Person,
    model: ScriptedModel,
) -> Floor:
    """The release with a model that is slow or acts when it is told to; Agents are the test's."""
    await model.script(SLOW, ACTS)
    return Floor(kube_cluster, kube_clients, kube, person, model, system.model_url)


@pytest.fixture(scope="module")
def tenants(release: Release, kube_clients: Clients, model_port: int) -> Iterator[Clients]:
    """Two tenants with Agents of the same names."""
    for namespace in (OURS, THEIRS):  # of an earlier session they may be going still
        kube_clients.kubectl("delete", "namespace", namespace, "--ignore-not-found")
        make_tenant(kube_clients, namespace)
        for name, skills in (("plain", ()), ("reader", ("cluster-reader",))):
            kube_clients.apply(agent(namespace, name, model_port, skills=skills))
    yield kube_clients
    for namespace in (OURS, THEIRS):
        kube_clients.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def slow_model(model_port: int) -> None:
    """Keep runs at work."""
    have_the_model_take_its_time(model_port)


@pytest.fixture(scope="module")
def plain(tenants: Clients, model_port: int) -> Iterator[LiveRun]:
    """A run of the first tenant, without a skill."""
    yield from started(tenants, model_port, OURS, "plain-1", "plain")


@pytest.fixture(scope="module")
def reader(tenants: Clients, model_port: int) -> Iterator[LiveRun]:
    """A run beside it that reads its namespace."""
    yield from started(tenants, model_port, OURS, "reader-1", "reader")


@pytest.fixture(scope="module")
def foreign(tenants: Clients, model_port: int) -> Iterator[LiveRun]:
    """A run of the other tenant."""
    yield from started(tenants, model_port, THEIRS, "plain-1", "plain")


@pytest.fixture(scope="module")
def foreign_reader(tenants: Clients, model_port: int) -> Iterator[LiveRun]:
    """A run of the other tenant that reads its namespace."""
    yield from started(tenants, model_port, THEIRS, "reader-1", "reader")


@pytest.fixture(scope="module")
def stranger(tenants: Clients) -> Pod:
    """A pod of the other tenant's administrator."""
    return make_stranger(tenants, THEIRS)


@pytest.fixture(scope="module")
def web_chat(tenants: Clients) -> Pod:
    """The web chat of the first tenant."""
    return make_web_chat(tenants, OURS)


@pytest.fixture(scope="module")
def foreign_chat(tenants: Clients) -> Pod:
    """The web chat of the other tenant, of the same name."""
    return make_web_chat(tenants, THEIRS)


@pytest.fixture(scope="module")
def bus_address(plain: LiveRun) -> tuple[str, str]:
    """Where the bus is, as a bridge is told: host and port."""
    code = "import os; print(os.environ['SYMPOZIUM_NATS_URL'])"
    url = urllib.parse.urlsplit(plain.raw("ipc-bridge", code).strip())
    return str(url.hostname), str(url.port)
