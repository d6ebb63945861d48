"""How channels are reached on a cluster, and what they may reach."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.channel import (
    ChannelSpec,
    ConfigRef,
    SlackSettings,
    TelegramSettings,
    WebSettings,
)
from sympozium.contract.resources import (
    CHANNELS,
    NETWORK_POLICIES,
    SECRETS,
    SERVICES,
    Object,
    Resource,
)
from sympozium_controller.channels.deployment import build_deployment, build_surroundings
from sympozium_controller.channels.network import service_name
from sympozium_controller.settings import PodSettings, Settings, read_settings
from tests.controller.cluster import NAMESPACE, Cluster, controller
from tests.controller.routers import a_router
from tests.tenants.namespaces import channel, until

BUS: Object = {"ports": [{"protocol": "TCP", "port": 4222}]}
SETTINGS = PodSettings(nats_url="nats://bus:4222", channel_egress=(BUS,))
OWNER = {"metadata": {"name": "team", "namespace": "ns", "uid": "u"}}
WEBHOOK = TelegramSettings(transport="webhook", webhook_url="https://bots.example/hook")


def spec(type_: Any, **fields: Any) -> ChannelSpec:
    secret = ConfigRef(secret="tokens")
    return ChannelSpec(type=type_, agent_ref="helper", config_ref=secret, **fields)


def around(wanted: Resource, of: ChannelSpec, settings: PodSettings = SETTINGS) -> Object | None:
    found = [one for resource, one in build_surroundings(OWNER, of, settings) if resource is wanted]
    return found[0] if found else None


def egress_ports(of: ChannelSpec) -> set[int]:
    policy = around(NETWORK_POLICIES, of)
    assert policy is not None
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]}


@pytest.mark.parametrize(
    ("of", "port"),
    [
        (spec("web", web=WebSettings(port=8400)), ("web", 8400)),
        (spec("telegram", telegram=WEBHOOK), ("webhook", 8402)),
        (spec("slack", slack=SlackSettings(transport="http")), ("events", 8401)),
    ],
)
def test_what_people_or_platforms_call_has_a_service_and_a_way_in(
    of: ChannelSpec, port: tuple[str, int]
) -> None:
    service, policy = around(SERVICES, of), around(NETWORK_POLICIES, of)
    assert service is not None
    assert policy is not None
    assert service["metadata"]["name"] == "sympozium-channel-team"
    (led,) = service["spec"]["ports"]
    assert (led["name"], led["port"], led["targetPort"]) == (port[0], port[1], port[0])
    (opened,) = policy["spec"]["ingress"]
    assert opened == {"ports": [{"protocol": "TCP", "port": port[0]}]}
    template = build_deployment(OWNER, of, SETTINGS)["spec"]["template"]
    labels = template["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= labels
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
    named = {one["name"] for one in template["spec"]["containers"][0]["ports"]}
    assert port[0] in named


@pytest.mark.parametrize("type_", ["slack", "telegram", "discord", "matrix"])
def test_what_calls_its_platform_itself_has_neither(type_: str) -> None:
    assert around(SERVICES, spec(type_)) is None
    policy = around(NETWORK_POLICIES, spec(type_))
    assert policy is not None
    assert policy["spec"]["ingress"] == []
    assert egress_ports(spec(type_)) == {4222, 443}


def test_a_web_channel_reaches_the_bus_and_nothing_of_the_internet() -> None:
    assert egress_ports(spec("web")) == {4222}


def test_a_platform_is_no_private_address() -> None:
    policy = around(NETWORK_POLICIES, spec("slack"))
    assert policy is not None
    blocks = [peer["ipBlock"] for rule in policy["spec"]["egress"] for peer in rule.get("to", [])]
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(blocks[0]["except"])


@pytest.mark.parametrize(
    ("url", "port"), [("http://10.77.0.1:8081/bot", 8081), ("http://bots.example", 80)]
)
def test_a_server_in_the_place_of_the_platform_is_reached_on_its_port(url: str, port: int) -> None:
    assert egress_ports(spec("telegram", api_url=url)) == {4222, 443, port}


def test_only_who_is_named_reaches_the_metrics_of_a_channel() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}
    settings = replace(SETTINGS, metrics_from=(peer,))
    policy = around(NETWORK_POLICIES, spec("slack"), settings)
    assert policy is not None
    (rule,) = policy["spec"]["ingress"]
    assert rule == {"from": [peer], "ports": [{"protocol": "TCP", "port": "health"}]}
    web = around(NETWORK_POLICIES, spec("web"), settings)
    assert web is not None
    assert "from" not in str(web["spec"]["ingress"])


def test_where_nothing_is_said_of_channels_they_are_not_limited() -> None:
    assert around(NETWORK_POLICIES, spec("web"), replace(SETTINGS, channel_egress=())) is None


def test_a_changed_way_out_rolls_the_channel() -> None:
    first = build_deployment(OWNER, spec("web"), SETTINGS)
    second = build_deployment(OWNER, spec("web"), replace(SETTINGS, channel_egress=(BUS, BUS)))
    assert first["metadata"]["annotations"] != second["metadata"]["annotations"]


def test_a_service_of_a_long_name_is_still_a_label_and_its_own() -> None:
    long = "x" * 63
    names = {service_name(long), service_name(long[:-1] + "y"), service_name("team")}
    assert len(names) == 3
    assert max(len(name) for name in names) <= 63


def test_the_rules_are_read_from_the_environment() -> None:
    environ = {
        "SYMPOZIUM_NATS_URL": "nats://bus:4222",
        "SYMPOZIUM_CHANNEL_EGRESS": '[{"ports":[{"protocol":"TCP","port":4222}]}]',
    }
    assert read_settings(environ).pods.channel_egress == (BUS,)


@pytest.fixture
async def controlled(cluster: Cluster, bus: NatsBus, settings: Settings) -> AsyncIterator[Cluster]:
    pods = replace(settings.pods, channel_egress=(BUS,))
    async with controller(cluster, replace(settings, pods=pods)):
        yield cluster


@pytest.mark.timeout(90)
async def test_a_channel_that_is_called_no_more_loses_its_service_and_a_deleted_one_everything(
    controlled: Cluster, bus: NatsBus, tmp_path: Path
) -> None:
    kube = controlled.kube
    data = {"TELEGRAM_BOT_TOKEN": "a", "TELEGRAM_WEBHOOK_SECRET": "b"}
    metadata = {"name": "tokens", "namespace": NAMESPACE}
    await kube.create(SECRETS, {"metadata": metadata, "stringData": data})
    bot = channel(NAMESPACE, "team")
    bot["spec"] |= {"type": "telegram", "configRef": {"secret": "tokens"}}
    bot["spec"]["telegram"] = {"transport": "webhook", "webhookURL": "https://bots.example/hook"}
    await kube.create(CHANNELS, bot)
    await controlled.until(SERVICES, "sympozium-channel-team", bool)
    assert await controlled.exists(NETWORK_POLICIES, "channel-team")
    polling = {"spec": {"telegram": {"transport": "poll", "webhookURL": ""}}}
    await kube.patch(CHANNELS, NAMESPACE, "team", polling)
    await controlled.until_gone(SERVICES, "sympozium-channel-team")
    await kube.delete(CHANNELS, NAMESPACE, "team")

    async def is_gone() -> bool:
        return not await controlled.exists(NETWORK_POLICIES, "channel-team")

    async with a_router(controlled, bus, tmp_path):  # it says that nobody waits
        await until(is_gone, within_s=60)
