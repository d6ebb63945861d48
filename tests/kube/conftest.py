"""The installed release as tests of pods see it."""

import pytest

from sympozium.kube.client import Kube
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel, System
from tests.kube.at_work import ACTS, SLOW, Floor
from tests.kube.cluster import Clients, KubeCluster


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
