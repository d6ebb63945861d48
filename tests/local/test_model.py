"""Which model a start uses, and what it makes of it in the cluster."""

import json
from pathlib import Path
from typing import Any

import pytest

from sympozium.bus.server import new_issuer
from sympozium_local.system.bus_access import BusAccess
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.manifests import Deployment, addons
from sympozium_local.system.model import ModelSettings, read_model
from sympozium_local.system.ports import Ports

PORTS = Ports(8400, 1001, 1002, 1003, 1004, 1005)


def start(model: ModelSettings, home: Path = Path("/somewhere")) -> dict[str, Any]:
    access = BusAccess(new_issuer().seed, "pass-word", "system")
    return addons(Deployment(Home(home), PORTS, access, model))


def agent(model: ModelSettings) -> dict[str, Any]:
    (found,) = [one["object"] for one in start(model)["create"] if one["object"]["kind"] == "Agent"]
    spec: dict[str, Any] = found["spec"]
    return spec


def egress(model: ModelSettings) -> list[tuple[str, list[int]]]:
    (controller,) = [
        obj
        for obj in start(model)["apply"]
        if obj["kind"] == "Deployment" and obj["metadata"]["name"] == "sympozium-controller"
    ]
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    (text,) = [one["value"] for one in container["env"] if one["name"] == "SYMPOZIUM_RUN_EGRESS"]
    return [
        (rule["to"][0]["ipBlock"]["cidr"], [port["port"] for port in rule["ports"]])
        for rule in json.loads(text)
    ]


def test_without_a_key_the_demonstration_model_answers() -> None:
    model = read_model(1003, {})
    assert model.is_demo
    assert agent(model)["agents"]["default"]["baseURL"] == "http://127.0.0.1:1003/v1"
    assert agent(model)["authRefs"] == []
    assert egress(model) == [("127.0.0.1/32", [1002, 1001]), ("127.0.0.1/32", [1003])]


def test_with_a_key_the_endpoint_of_its_owner_answers() -> None:
    model = read_model(1003, {"OPENAI_API_KEY": "sk-secret", "SYMPOZIUM_MODEL": "big"})
    assert not model.is_demo
    assert agent(model)["agents"]["default"]["model"] == "big"
    assert agent(model)["authRefs"] == [{"provider": "openai", "secret": "assistant-model"}]
    assert egress(model)[1] == ("0.0.0.0/0", [443])


def test_the_key_is_in_a_secret_and_nowhere_else() -> None:
    model = read_model(1003, {"OPENAI_API_KEY": "sk-secret"})
    holders = [obj["kind"] for obj in start(model)["apply"] if "sk-secret" in json.dumps(obj)]
    assert holders == ["Secret"]
    assert "sk-secret" not in json.dumps(start(model)["create"])
    assert "sk-secret" not in repr(model)


def test_an_endpoint_on_this_machine_is_reached_without_the_internet() -> None:
    environ = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": "http://localhost:11434/v1"}
    model = read_model(1003, environ)
    assert model.base_url == "http://127.0.0.1:11434/v1"
    assert egress(model)[1] == ("127.0.0.1/32", [11434])


def test_an_address_without_a_key_is_not_ignored_in_silence() -> None:
    model = read_model(1003, {"OPENAI_BASE_URL": "http://localhost:11434/v1"})
    assert model.is_demo
    assert "set OPENAI_API_KEY" in model.warning


@pytest.mark.parametrize(
    ("host", "cidr"),
    [("10.0.0.7", "10.0.0.7/32"), ("[fd00::7]", "fd00::7/128"), ("8.8.8.8", "0.0.0.0/0")],
)
def test_an_endpoint_in_the_private_network_is_named_by_itself(host: str, cidr: str) -> None:
    environ = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": f"http://{host}:11434/v1"}
    assert egress(read_model(1003, environ))[1] == (cidr, [11434])


def test_an_endpoint_whose_name_nobody_knows_is_looked_for_in_the_internet() -> None:
    environ = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": "https://nobody.invalid/v1"}
    assert egress(read_model(1003, environ))[1] == ("0.0.0.0/0", [443])


def test_an_address_that_cannot_work_is_refused() -> None:
    with pytest.raises(StartError, match="no http or https address"):
        read_model(1003, {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "ftp://x/v1"})


def test_the_same_settings_have_the_same_fingerprint_and_others_another() -> None:
    one = read_model(1003, {"OPENAI_API_KEY": "a"})
    assert one.fingerprint == read_model(1003, {"OPENAI_API_KEY": "a"}).fingerprint
    assert one.fingerprint != read_model(1003, {"OPENAI_API_KEY": "b"}).fingerprint


def test_a_home_with_odd_characters_makes_valid_manifests() -> None:
    odd = Path('/home/a "b": c\\d')
    (router,) = [
        obj
        for obj in start(read_model(1003, {}), odd)["apply"]
        if obj["kind"] == "Deployment" and obj["metadata"]["name"] == "sympozium-router"
    ]
    assert router["spec"]["template"]["spec"]["volumes"][0]["hostPath"]["path"] == f"{odd}/router"
