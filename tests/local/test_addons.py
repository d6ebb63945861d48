"""What a start brings into the cluster, and what it leaves as its user made it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sympozium.bus.server import new_issuer
from sympozium.contract.resources import AGENTS, CHANNELS, DEPLOYMENTS, Object
from sympozium.kube.client import Kube
from sympozium_local.system.addons import apply_addons
from sympozium_local.system.bus_access import BusAccess
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.manifests import SYSTEM_NAMESPACE, Deployment, addons, web_token
from sympozium_local.system.model import read_model
from sympozium_local.system.ports import Ports
from tests.fixtures.api_server import api_server

ACCESS = BusAccess(new_issuer().seed, "controller-password", "system-password")
KEY = {"OPENAI_API_KEY": "sk-any", "SYMPOZIUM_MODEL": "real"}


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[Kube]:
    """A client of an empty embedded API server."""
    async with api_server(tmp_path) as (connected, _):
        yield connected


async def start(kube: Kube, *, web: int = 8400, environ: dict[str, str] | None = None) -> None:
    """Do what a node does at its start."""
    ports = Ports(web, 1001, 1002, 1003, 1004, 1005)
    environ = environ or {}
    model, token = read_model(ports.model, environ), web_token(environ)
    home = Home(Path("/somewhere"))
    await apply_addons(kube, addons(Deployment(home, ports, ACCESS, model, token)))


async def agent(kube: Kube) -> Object:
    spec: Object = (await kube.get(AGENTS, "default", "assistant"))["spec"]
    return spec


async def test_a_start_installs_the_system_and_the_first_agent(kube: Kube) -> None:
    await start(kube)
    names = {one["metadata"]["name"] for one in (await kube.list(DEPLOYMENTS)).items}
    assert names == {"sympozium-controller", "sympozium-router"}
    assert (await agent(kube))["agents"]["default"]["model"] == "demo"
    channel = await kube.get(CHANNELS, "default", "web")
    assert channel["spec"]["access"]["users"] == ["owner"]


async def test_a_second_start_changes_nothing(kube: Kube) -> None:
    await start(kube)
    before = await kube.get(AGENTS, "default", "assistant")
    deployment = await kube.get(DEPLOYMENTS, SYSTEM_NAMESPACE, "sympozium-router")
    await start(kube)
    after = await kube.get(AGENTS, "default", "assistant")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    again = await kube.get(DEPLOYMENTS, SYSTEM_NAMESPACE, "sympozium-router")
    assert again["metadata"]["generation"] == deployment["metadata"]["generation"]


async def test_what_a_user_changed_in_the_agent_stays(kube: Kube) -> None:
    await start(kube)
    mine = {"agents": {"default": {"systemPrompt": "Be brief.", "model": "mine"}}}
    await kube.patch(AGENTS, "default", "assistant", {"spec": mine})
    await start(kube)
    settings = (await agent(kube))["agents"]["default"]
    assert (settings["systemPrompt"], settings["model"]) == ("Be brief.", "mine")


async def test_another_model_in_the_environment_is_taken_over_and_nothing_else(kube: Kube) -> None:
    await start(kube)
    prompt = {"agents": {"default": {"systemPrompt": "Be brief."}}}
    await kube.patch(AGENTS, "default", "assistant", {"spec": prompt})
    await start(kube, environ=KEY)
    spec = await agent(kube)
    assert spec["agents"]["default"]["model"] == "real"
    assert spec["agents"]["default"]["systemPrompt"] == "Be brief."
    assert spec["authRefs"] == [{"provider": "openai", "secret": "assistant-model"}]


async def test_another_port_in_the_environment_is_taken_over(kube: Kube) -> None:
    await start(kube)
    await start(kube, web=9000)
    channel = await kube.get(CHANNELS, "default", "web")
    assert channel["spec"]["web"]["port"] == 9000


async def test_a_web_token_in_the_environment_is_asked_for_and_no_longer_without(
    kube: Kube,
) -> None:
    await start(kube, environ={"SYMPOZIUM_WEB_TOKEN": "0123456789abcdef"})
    channel = await kube.get(CHANNELS, "default", "web")
    assert channel["spec"]["web"]["tokenSecretRef"] == "web-token"
    await start(kube)
    channel = await kube.get(CHANNELS, "default", "web")
    assert not channel["spec"]["web"].get("tokenSecretRef")


def test_a_token_that_keeps_nobody_out_is_refused() -> None:
    with pytest.raises(StartError, match="SYMPOZIUM_WEB_TOKEN has 5 characters"):
        web_token({"SYMPOZIUM_WEB_TOKEN": "short"})


async def test_a_system_object_that_was_changed_is_put_right_but_for_its_replicas(
    kube: Kube,
) -> None:
    await start(kube)
    pod = {"serviceAccountName": "nobody"}
    patch = {"spec": {"replicas": 2, "template": {"spec": pod}}}
    await kube.patch(DEPLOYMENTS, SYSTEM_NAMESPACE, "sympozium-router", patch)
    await start(kube)
    router = await kube.get(DEPLOYMENTS, SYSTEM_NAMESPACE, "sympozium-router")
    assert router["spec"]["template"]["spec"]["serviceAccountName"] == "sympozium-router"
    assert router["spec"]["replicas"] == 2
