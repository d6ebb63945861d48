"""Fields that nobody would read: refused when an object is written, by their path."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sympozium.contract.agent import ChannelShorthand
from sympozium.contract.channel import PLATFORMS, ChannelSpec
from sympozium.contract.channel_fields import EVERY_TYPE, OWN, USES
from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import AGENTS, CHANNELS, Object, Resource
from sympozium.kube.client import object_path
from sympozium_controller.channels.deployment import build_deployment
from sympozium_controller.channels.tokens import tokens_of
from sympozium_controller.settings import PodSettings

ROOT = Path(__file__).parents[3]
BOT: Object = {"configRef": {"secret": "tokens"}}
BY_TYPE: dict[str, Object] = {
    "web": {}, "slack": BOT, "telegram": BOT, "discord": BOT,
    OWN: {"type": "matrix", "image": "example.org/matrix:1"},
}  # fmt: skip
"""The least that a Channel of each type says."""

CASES: dict[str, tuple[Object, str, str]] = {
    "image": ({"image": "i"}, "", "web slack telegram discord own"),
    "agents": ({"agents": ["other"]}, "", "web slack telegram discord own"),
    "models": ({"models": ["small"]}, "", "web slack telegram discord own"),
    "mode": ({"mode": "steer"}, "", "web slack telegram discord own"),
    "access.users": ({"access": {"users": ["u"]}}, "", "web slack telegram discord own"),
    "access.chats": ({"access": {"chats": ["c"]}}, "", "web slack telegram discord own"),
    "access.pairing": ({"access": {"pairing": False}}, "", "web slack telegram discord own"),
    "access.groups": ({"access": {"groups": ["g"]}}, "spec.access.groups", "discord own"),
    "routes[].chat": (
        {"routes": [{"agentRef": "a", "chat": "c"}]}, "", "web slack telegram discord own",
    ),
    "routes[].user": (
        {"routes": [{"agentRef": "a", "user": "u"}]}, "", "web slack telegram discord own",
    ),
    "routes[].thread": (
        {"routes": [{"agentRef": "a"}, {"agentRef": "b", "thread": "t"}]},
        "spec.routes", "slack telegram discord own",
    ),
    "triggers": (
        {"triggers": {"channels": "all"}}, "spec.triggers", "slack telegram discord own",
    ),
    "configRef": (BOT, "spec.configRef", "slack telegram discord own"),
    "settings": ({"settings": {"A": "b"}}, "spec.settings", "own"),
    "apiURL": ({"apiURL": "http://x"}, "spec.apiURL", "slack telegram discord own"),
    "gatewayURL": ({"gatewayURL": "ws://x"}, "spec.gatewayURL", "discord"),
    "web": ({"web": {"port": 9000}}, "spec.web", "web"),
    "slack": ({"slack": {"command": "/ask"}}, "spec.slack", "slack"),
    "telegram": ({"telegram": {"transport": "poll"}}, "spec.telegram", "telegram"),
}  # fmt: skip
"""By field: what sets it, the path of the refusal, and the types of channel that read it."""

ROUTERS = {"agents", "models", "mode", "access", "routes"}
"""Fields that the router reads; the rest is told to the channel's program, or is around it."""


@pytest.fixture
async def ours(api: Any) -> Any:
    """Return a client of a server that knows our kinds."""
    for definition in definition_objects():
        await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    return api


async def refusals(api: Any, kind: Resource, spec: Object) -> dict[str, str]:
    """Return what is said of *spec*, by field, when it is created as kubectl does; nothing: ok."""
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "one"}}
    path = f"{object_path(kind, 'default')}?fieldValidation=Strict&dryRun=All"
    status, answer = await api.call("POST", path, {**head, "spec": spec})
    assert status in {201, 422}, answer
    causes = answer["details"]["causes"] if status == 422 else []
    return {one["field"]: one["message"] for one in causes}


def channel(type_: str, more: Object) -> Object:
    return {"type": type_, "agentRef": "helper", **BY_TYPE[type_], **more}


def test_the_cases_are_what_the_rules_are_made_of() -> None:
    named = {one.field: " ".join(one.types) for one in USES if one.field != "agentRef"}
    assert named == {field: types for field, (_, _, types) in CASES.items()}
    fields = set(msgspec.json.schema(ChannelSpec)["$defs"]["ChannelSpec"]["properties"])
    tops = {re.split(r"[.\[]", one.field)[0] for one in USES}
    assert fields - {"type", "limits"} == tops


def marked(names: Iterable[str], cells: Iterable[str]) -> list[str]:
    return [name for name, cell in zip(names, cells, strict=True) if "x" in cell]


def test_the_documentation_says_which_field_is_for_which_platform() -> None:
    page = (ROOT / "channels/README.md").read_text()
    rows = re.findall(r"^\| `([\w.\[\]]+)` \|((?: (?:x|) ?\|){5})$", page, re.MULTILINE)
    listed = [(field, marked(EVERY_TYPE, cells.split("|")[:-1])) for field, cells in rows]
    assert listed == [(one.field, list(one.types)) for one in USES]


@pytest.mark.parametrize("type_", BY_TYPE)
async def test_a_field_is_taken_by_the_platforms_that_read_it_and_by_no_other(
    ours: Any, type_: str
) -> None:
    assert await refusals(ours, CHANNELS, channel(type_, {})) == {}
    for field, (given, path, types) in CASES.items():
        said = await refusals(ours, CHANNELS, channel(type_, given))
        assert list(said) == ([] if type_ in types.split() else [path]), (field, said)
        assert all(sentence.startswith("Forbidden: ") for sentence in said.values())


OTHERWISE: dict[str, Object] = {
    "configRef": {"configRef": {"secret": "others"}},
    "telegram": {"telegram": {"transport": "webhook", "webhookURL": "https://x"}},
}
"""What differs from the least that a Channel says, where the case's does not."""


def told_to_programs() -> Iterator[tuple[str, str]]:
    for field, (_, _, types) in CASES.items():
        if re.split(r"[.\[]", field)[0] not in ROUTERS:
            yield from ((field, type_) for type_ in types.split())


@pytest.mark.parametrize(("field", "type_"), [*told_to_programs()])
def test_what_is_taken_changes_what_the_program_is_or_is_told(field: str, type_: str) -> None:
    given = OTHERWISE.get(field, CASES[field][0])
    before, after = (msgspec.convert(channel(type_, more), ChannelSpec) for more in ({}, given))
    owner = {"metadata": {"name": "c", "namespace": "default", "uid": "u"}}
    settings = PodSettings(nats_url="nats://bus")
    made = [(build_deployment(owner, spec, settings), tokens_of(spec)) for spec in (before, after)]
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("type_", "given", "path"),
    [
        ("slack", {"slack": {"port": 9000}}, "spec.slack.port"),
        ("slack", {"slack": {"transport": "http", "port": 9000}}, ""),
        ("slack", {"slack": {"transport": "socket", "port": 8401}}, ""),
        ("telegram", {"telegram": {"port": 9000}}, "spec.telegram.port"),
        ("telegram", {"telegram": {"webhookURL": "https://x"}}, "spec.telegram.webhookURL"),
        ("telegram", {"telegram": {"transport": "webhook"}}, "spec.telegram.webhookURL"),
        (
            "telegram",
            {"telegram": {"transport": "webhook", "webhookURL": "https://x", "port": 9000}},
            "",
        ),
    ],
)
async def test_what_a_transport_does_not_use_or_misses_is_refused(
    ours: Any, type_: str, given: Object, path: str
) -> None:
    assert list(await refusals(ours, CHANNELS, channel(type_, given))) == ([path] if path else [])


@pytest.mark.parametrize(
    ("channels", "paths"),
    [
        ([{"type": "web"}], []),
        ([{"type": "slack", **BOT}, {"type": "telegram", **BOT}], []),
        ([{"type": "web", **BOT}], ["spec.channels[0].configRef"]),
        ([{"type": "web"}, {"type": "discord"}], ["spec.channels[1].configRef"]),
        ([{"type": "slack", **BOT}, {"type": "slack", **BOT}], ["spec.channels"]),
    ],
)
async def test_an_agents_channels_name_their_tokens_and_are_one_of_a_type(
    ours: Any, channels: list[Object], paths: list[str]
) -> None:
    spec = {"agents": {"default": {"model": "m"}}, "channels": channels}
    assert list(await refusals(ours, AGENTS, spec)) == paths


def test_an_agent_may_have_a_channel_of_each_type_of_ours() -> None:
    types = msgspec.json.schema(ChannelShorthand)["$defs"]["ChannelShorthand"]["properties"]["type"]
    assert set(types["enum"]) == set(PLATFORMS)


async def test_what_was_stored_before_the_rules_goes_on_and_is_mended_at_its_next_change(
    api: Any,
) -> None:
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    (ruled,) = [one for one in definition_objects() if one["spec"]["names"]["kind"] == "Channel"]
    older = msgspec.json.decode(msgspec.json.encode(ruled))
    schema = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["x-kubernetes-validations"]
    await api.create(crds, older)
    head = {"apiVersion": CHANNELS.api_version, "kind": "Channel", "metadata": {"name": "old"}}
    spec = channel("web", {"triggers": {"channels": "all"}})
    await api.create(object_path(CHANNELS, "default"), {**head, "spec": spec})
    await api.merge(f"{crds}/{ruled['metadata']['name']}", {"spec": ruled["spec"]})
    path = object_path(CHANNELS, "default", "old")
    told = await api.merge(f"{path}/status", {"status": {"observedGeneration": 1}})
    assert told["status"]["observedGeneration"] == 1
    assert (await api.merge(path, {"metadata": {"labels": {"team": "a"}}}))["metadata"]["labels"]
    merge = {"content_type": "application/merge-patch+json"}
    refused, answer = await api.call("PATCH", path, {"spec": {"mode": "steer"}}, **merge)
    assert (refused, "spec.triggers" in answer["message"]) == (422, True)
    mended = await api.merge(path, {"spec": {"mode": "steer", "triggers": None}})
    assert mended["spec"]["mode"] == "steer"
