"""Models that have a name, for runs that may ask nobody for names."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from tests.kube.at_work import Floor, told
from tests.kube.cluster import NODE_ADDRESS
from tests.kube.release import TENANT

pytestmark = pytest.mark.timeout(120)

NAME = "model-by-name"
SERVICES = f"/api/v1/namespaces/{TENANT}/services"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{TENANT}/endpointslices"


def service(port: int) -> Object:
    metadata = {"name": NAME, "namespace": TENANT}
    ports = [{"name": "http", "port": 80, "targetPort": port}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}


def endpoints(port: int) -> Object:
    labels = {"kubernetes.io/service-name": NAME}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": TENANT, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [NODE_ADDRESS]}],
    }


@pytest.fixture
async def floor(floor: Floor) -> AsyncIterator[Floor]:
    """The release, with a Service of the tenant in front of the model."""
    port = urlsplit(floor.model_url).port
    assert port is not None
    async with floor.object(SERVICES, service(port)), floor.object(SLICES, endpoints(port)):
        yield floor


async def test_a_model_is_found_by_every_name_that_its_tenant_has_for_it(floor: Floor) -> None:
    short = floor.agent("short", baseURL=f"http://{NAME}/v1")
    long = floor.agent("long", baseURL=f"http://{NAME}.{TENANT}.svc.cluster.local/v1")
    async with floor.agents(short, long):
        for name in ("short", "long"):
            entry = await floor.ask(name, "hello")
            assert entry["error"] is None, entry


async def test_a_model_that_nobody_knows_is_said_to_be_out_of_reach(floor: Floor) -> None:
    lost = floor.agent("lost", baseURL="http://nobody.example.invalid/v1")
    async with floor.agents(lost):
        entry = await floor.ask("lost", "hello")
    assert told(entry)[0] == Reason.MODEL_UNREACHABLE
