"""Channels of chat platforms: their Deployments, their tokens, and what is said when those lack."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.channel import (
    ChannelSpec,
    ConfigRef,
    SlackSettings,
    TelegramSettings,
    Triggers,
)
from sympozium.contract.resources import AGENTS, CHANNELS, DEPLOYMENTS, SECRETS, Object
from sympozium.kube.errors import InvalidError
from sympozium_controller.channels.container import (
    FIRST_HEALTH_PORT,
    HEALTH_PORTS,
    build_container,
    health_port,
)
from sympozium_controller.channels.deployment import build_deployment
from sympozium_controller.settings import PodSettings, read_settings
from tests.controller.cluster import NAMESPACE, Cluster
from tests.controller.test_channels import condition, says

SETTINGS = PodSettings(nats_url="nats://127.0.0.1:4222")
OWNER = {"metadata": {"name": "team", "namespace": NAMESPACE, "uid": "u"}}


def a_channel(type_: Any, **fields: Any) -> ChannelSpec:
    return ChannelSpec(
        type=type_, agent_ref="helper", config_ref=ConfigRef(secret="tokens"), **fields
    )


def values(container: Object) -> Mapping[str, str]:
    """Return the plain variables of a container."""
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def references(container: Object) -> Mapping[str, Object]:
    """Return the variables of a container that come from a Secret."""
    found = [one for one in container["env"] if "secretKeyRef" in one.get("valueFrom", {})]
    return {one["name"]: one["valueFrom"]["secretKeyRef"] for one in found}


def key_of(name: str, *, optional: bool = False) -> Object:
    return {"name": "tokens", "key": name, **({"optional": True} if optional else {})}


async def create_channel(cluster: Cluster, type_: str, **spec: Any) -> Object:
    return await cluster.kube.create(
        CHANNELS,
        {
            "apiVersion": CHANNELS.api_version,
            "kind": CHANNELS.kind,
            "metadata": {"name": "team", "namespace": NAMESPACE},
            "spec": {
                "type": type_,
                "agentRef": "helper",
                "configRef": {"secret": "tokens"},
                **spec,
            },
        },
    )


async def create_secret(cluster: Cluster, **tokens: str) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in tokens.items()}
    secret = {"metadata": {"name": "tokens", "namespace": NAMESPACE}, "data": data}
    await cluster.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})


def test_a_slack_channel_over_sockets_needs_the_app_token_and_no_signing_secret() -> None:
    container = build_container(OWNER, a_channel("slack"), SETTINGS)
    assert container["image"] == "sympozium/channel-slack:local"
    assert container["command"] == ["python", "-m", "sympozium_slack"]
    assert references(container) == {
        "SLACK_BOT_TOKEN": key_of("SLACK_BOT_TOKEN"),
        "SLACK_APP_TOKEN": key_of("SLACK_APP_TOKEN"),
        "SLACK_SIGNING_SECRET": key_of("SLACK_SIGNING_SECRET", optional=True),
    }
    assert values(container)["SYMPOZIUM_SLACK_TRANSPORT"] == "socket"
    assert [port["name"] for port in container["ports"]] == ["health"]


def test_a_slack_channel_over_http_needs_the_signing_secret_and_opens_its_port() -> None:
    slack = SlackSettings(transport="http", port=8500, command="/ask")
    container = build_container(OWNER, a_channel("slack", slack=slack), SETTINGS)
    assert references(container)["SLACK_APP_TOKEN"] == key_of("SLACK_APP_TOKEN", optional=True)
    assert references(container)["SLACK_SIGNING_SECRET"] == key_of("SLACK_SIGNING_SECRET")
    told = values(container)
    assert (told["SYMPOZIUM_SLACK_PORT"], told["SYMPOZIUM_SLACK_COMMAND"]) == ("8500", "/ask")
    assert {"name": "events", "containerPort": 8500} in container["ports"]


def test_a_telegram_webhook_has_its_secret_its_address_and_its_port() -> None:
    telegram = TelegramSettings(transport="webhook", webhook_url="https://bot.example/x", port=8600)
    container = build_container(OWNER, a_channel("telegram", telegram=telegram), SETTINGS)
    assert references(container) == {
        "TELEGRAM_BOT_TOKEN": key_of("TELEGRAM_BOT_TOKEN"),
        "TELEGRAM_WEBHOOK_SECRET": key_of("TELEGRAM_WEBHOOK_SECRET"),
    }
    told = values(container)
    assert told["SYMPOZIUM_TELEGRAM_TRANSPORT"] == "webhook"
    assert told["SYMPOZIUM_TELEGRAM_WEBHOOK_URL"] == "https://bot.example/x"
    assert {"name": "webhook", "containerPort": 8600} in container["ports"]


def test_a_polling_telegram_bot_does_without_a_webhook_secret() -> None:
    container = build_container(OWNER, a_channel("telegram"), SETTINGS)
    secret = references(container)["TELEGRAM_WEBHOOK_SECRET"]
    assert secret == key_of("TELEGRAM_WEBHOOK_SECRET", optional=True)
    assert "SYMPOZIUM_TELEGRAM_WEBHOOK_URL" not in values(container)


def test_a_discord_channel_is_told_where_its_api_and_gateway_are() -> None:
    spec = a_channel("discord", api_url="http://127.0.0.1:9/api", gateway_url="ws://127.0.0.1:9/g")
    container = build_container(OWNER, spec, SETTINGS)
    assert references(container) == {"DISCORD_BOT_TOKEN": key_of("DISCORD_BOT_TOKEN")}
    told = values(container)
    assert told["SYMPOZIUM_API_URL"] == "http://127.0.0.1:9/api"
    assert told["SYMPOZIUM_GATEWAY_URL"] == "ws://127.0.0.1:9/g"


def test_a_channel_is_told_which_messages_are_for_it() -> None:
    triggers = Triggers(channels="all", follow_threads=False, bots=["B1", "B2"])
    told = values(build_container(OWNER, a_channel("slack", triggers=triggers), SETTINGS))
    names = ("SYMPOZIUM_TRIGGER", "SYMPOZIUM_FOLLOW_THREADS", "SYMPOZIUM_BOTS")
    assert [told[name] for name in names] == ["all", "no", "B1,B2"]


@pytest.mark.parametrize("platform", ["slack", "telegram", "discord"])
def test_one_program_a_bot_is_probed_on_its_own_port(platform: str) -> None:
    deployment = build_deployment(OWNER, a_channel(platform), SETTINGS)
    assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (
        1,
        {"type": "Recreate"},
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    port = health_port(NAMESPACE, "team")
    assert values(container)["SYMPOZIUM_HEALTH_PORT"] == str(port)
    assert {"name": "health", "containerPort": port} in container["ports"]
    paths = {
        name: container[name]["httpGet"]["path"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {
        "startupProbe": "/livez",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }


@given(st.text(min_size=1, max_size=63), st.text(min_size=1, max_size=63))
def test_a_health_port_depends_on_the_name_alone_and_is_in_its_range(ns: str, name: str) -> None:
    port = health_port(ns, name)
    assert port == health_port(ns, name)
    assert FIRST_HEALTH_PORT <= port < FIRST_HEALTH_PORT + HEALTH_PORTS


def test_every_platforms_image_can_be_another() -> None:
    environ = {
        "SYMPOZIUM_NATS_URL": "nats://127.0.0.1:4222",
        "SYMPOZIUM_IMAGE_CHANNEL_TELEGRAM": "registry.example/telegram:1",
    }
    images = read_settings(environ).pods.channel_images
    assert images["telegram"] == "registry.example/telegram:1"
    assert images["discord"] == "sympozium/channel-discord:local"


async def test_a_chat_channel_without_its_secret_names_it(controlled: Cluster) -> None:
    await create_channel(controlled, "telegram")
    channel = await controlled.until(CHANNELS, "team", says("Available", "False"))
    found = condition(channel, "Available")
    assert found["reason"] == "SecretNotFound"
    assert "'tokens'" in found["message"]


async def test_a_secret_without_a_key_that_the_transport_needs_is_named(
    controlled: Cluster,
) -> None:
    await create_secret(controlled, SLACK_BOT_TOKEN="xoxb-1")
    await create_channel(controlled, "slack")
    channel = await controlled.until(CHANNELS, "team", says("Available", "False"))
    found = condition(channel, "Available")
    assert found["reason"] == "SecretIncomplete"
    assert "SLACK_APP_TOKEN" in found["message"]
    assert "SIGNING" not in found["message"]
    assert "xoxb" not in str(channel)


async def test_changed_tokens_roll_the_deployment(controlled: Cluster) -> None:
    await create_secret(controlled, DISCORD_BOT_TOKEN="old")
    channel = await create_channel(controlled, "discord")
    before = await controlled.until(DEPLOYMENTS, "channel-team", bool)
    fresh = {"data": {"DISCORD_BOT_TOKEN": base64.b64encode(b"new").decode()}}
    await controlled.kube.patch(SECRETS, NAMESPACE, "tokens", fresh)
    await _look_again(controlled, channel)
    template = before["spec"]["template"]
    await controlled.until(
        DEPLOYMENTS, "channel-team", lambda held: held["spec"]["template"] != template
    )


async def test_a_bot_at_work_keeps_its_tokens_while_its_secret_is_away(
    controlled: Cluster,
) -> None:
    await create_secret(controlled, DISCORD_BOT_TOKEN="old")
    channel = await create_channel(controlled, "discord")
    before = await controlled.until(DEPLOYMENTS, "channel-team", bool)
    await controlled.kube.delete(SECRETS, NAMESPACE, "tokens")
    await _look_again(controlled, channel)
    await controlled.until(
        CHANNELS,
        "team",
        lambda held: condition(held, "Available").get("reason") == "SecretNotFound",
    )
    after = await controlled.kube.get(DEPLOYMENTS, NAMESPACE, "channel-team")
    assert after["spec"] == before["spec"]


async def test_what_the_router_says_of_a_channel_stays(controlled: Cluster) -> None:
    await create_channel(controlled, "discord")
    channel = await controlled.until(CHANNELS, "team", says("Available", "False"))
    connected = {
        "type": "Connected",
        "status": "False",
        "reason": "TokenRevoked",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    status = channel["status"]
    await controlled.set_status(
        CHANNELS, "team", {**status, "conditions": [*status["conditions"], connected]}
    )
    await create_secret(controlled, DISCORD_BOT_TOKEN="new")
    await _look_again(controlled, channel)
    ready = await controlled.until(
        CHANNELS, "team", lambda held: condition(held, "Available").get("reason") == "Starting"
    )
    assert condition(ready, "Connected") == connected


async def test_an_agents_chat_shorthand_makes_channels_with_its_secrets(
    controlled: Cluster,
) -> None:
    shorthand = [
        {"type": "telegram", "configRef": {"secret": "alice-telegram-secret"}},
        {"type": "slack", "configRef": {"secret": "alice-slack-secret"}},
    ]
    await controlled.create_agent(channels=shorthand)
    for platform in ("telegram", "slack"):
        channel = await controlled.until(CHANNELS, f"helper-{platform}", bool)
        assert channel["spec"]["type"] == platform
        assert channel["spec"]["configRef"] == {"secret": f"alice-{platform}-secret"}
        deployment = await controlled.until(DEPLOYMENTS, f"channel-helper-{platform}", bool)
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert {one["name"] for one in references(container).values()} == {
            f"alice-{platform}-secret"
        }


async def test_an_agent_whose_channel_the_api_refuses_is_told(controlled: Cluster) -> None:
    name = "a" * 64  # too long for the label by which its Channel says whose it is
    spec = {"agents": {"default": {"model": "m"}}, "channels": [{"type": "web"}]}
    agent = {"apiVersion": AGENTS.api_version, "kind": AGENTS.kind, "spec": spec}
    await controlled.kube.create(
        AGENTS, {**agent, "metadata": {"name": name, "namespace": NAMESPACE}}
    )
    agent = await controlled.until(AGENTS, name, says("Ready", "False"))
    found = condition(agent, "Ready")
    assert found["reason"] == "ChannelRefused"
    assert "63" in found["message"]


async def _look_again(cluster: Cluster, channel: Object) -> None:
    """Have the controller look at a Channel now, as it does by itself before long."""
    name = channel["metadata"]["name"]
    await cluster.kube.patch(
        CHANNELS, NAMESPACE, name, {"metadata": {"annotations": {"looked-at": "again"}}}
    )


def test_a_platform_of_ones_own_is_given_its_settings_and_its_whole_secret() -> None:
    spec = a_channel("matrix", image="example.org/matrix:1", settings={"HOMESERVER": "https://m"})
    container = build_container(OWNER, spec, SETTINGS)
    assert container["image"] == "example.org/matrix:1"
    assert container["command"] == ["python", "-m", "sympozium_matrix"]
    assert container["envFrom"] == [{"secretRef": {"name": "tokens"}}]
    assert values(container)["HOMESERVER"] == "https://m"
    assert values(container)["SYMPOZIUM_HEALTH_PORT"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "name its image"),
        ({"image": "m:1", "settings": {"SYMPOZIUM_NATS_URL": "nats://x"}}, "do not begin with"),
        ({"image": "m:1", "settings": {"a b": "c"}}, "names are of"),
    ],
)
async def test_a_platform_of_ones_own_is_checked(
    controlled: Cluster, fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidError, match=complaint):
        await create_channel(controlled, "matrix", **fields)
    with pytest.raises(InvalidError, match="platform of one's own"):
        await create_channel(controlled, "slack", settings={"A": "b"})
