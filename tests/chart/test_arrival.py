"""Where values arrive that concern every pod, those of runs and channels among them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sympozium.contract.channel import PLATFORMS
from sympozium.contract.resources import NETWORK_POLICIES
from sympozium_controller.channels.deployment import build_deployment
from sympozium_controller.runs.pod import build_job
from sympozium_controller.settings import PodSettings, read_settings
from tests.chart.helm import CHART, NAMESPACE, Object, named, objects, pod_specs
from tests.controller.worlds import a_plan, a_run
from tests.tenants.test_channel_network import OWNER, around, spec

PODS = {
    "Deployment sympozium-controller",
    "Deployment sympozium-router",
    "StatefulSet sympozium-nats",
    "StatefulSet sympozium-postgresql",
    "Job sympozium-example",
    "Job sympozium-removal",
    "Pod sympozium-test",
}
"""Every pod of a release."""

HIGHEST_PRIORITY = 1_000_000_000
"""Above it are those of Kubernetes' own.

Source: https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/
"""

NEAR = {"podSelector": {"matchLabels": {"app": "prometheus"}}}
FAR = {"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}
"""Peers: in the release's own namespace, and elsewhere."""


@pytest.mark.parametrize(
    ("value", "field", "wanted"),
    [
        ("placement.nodeSelector", "nodeSelector", {"pool": "system"}),
        ("placement.tolerations", "tolerations", [{"key": "system", "operator": "Exists"}]),
        ("placement.priorityClassName", "priorityClassName", "high"),
        ("images.pullSecrets", "imagePullSecrets", ["pull"]),
    ],
)
def test_every_pod_of_the_release_has_it(helm: str, value: str, field: str, wanted: Any) -> None:
    specs = pod_specs(objects(helm, "--set-json", f"{value}={json.dumps(wanted)}"))
    assert specs.keys() == PODS
    if field == "imagePullSecrets":
        wanted = [{"name": name} for name in wanted]
    assert {name: pod.get(field) for name, pod in specs.items()} == dict.fromkeys(PODS, wanted)


def test_the_recommended_set_puts_every_pod_above_those_of_runs(helm: str) -> None:
    rendered = objects(helm, "-f", str(CHART / "values-production.yaml"))
    (made,) = [obj for obj in rendered if obj["kind"] == "PriorityClass"]
    names = {pod["priorityClassName"] for pod in pod_specs(rendered).values()}
    assert names == {made["metadata"]["name"]}
    assert 0 < made["value"] <= HIGHEST_PRIORITY
    job = build_job(a_run(), a_plan(), PodSettings("nats://bus"))
    assert "priorityClassName" not in job["spec"]["template"]["spec"]


def test_another_priority_is_another_class(helm: str) -> None:
    def made(priority: int) -> str:
        rendered = objects(helm, "--set", f"placement.priority={priority}")
        (found,) = [obj for obj in rendered if obj["kind"] == "PriorityClass"]
        assert found["value"] == priority
        return str(found["metadata"]["name"])

    assert made(5) != made(6)


@pytest.mark.parametrize("policy", ["Always", "Never", "IfNotPresent"])
def test_every_container_is_pulled_as_the_values_say(helm: str, policy: str) -> None:
    specs = pod_specs(objects(helm, "--set", f"images.pullPolicy={policy}"))
    pods = pod_settings(specs)
    job = build_job(a_run(), a_plan(skills=("cluster-reader",)), pods)
    specs["run"] = job["spec"]["template"]["spec"]
    for platform in PLATFORMS:
        deployment = build_deployment(OWNER, spec(platform), pods)
        specs[f"channel {platform}"] = deployment["spec"]["template"]["spec"]
    found = {
        f"{name} {container['name']}": container["imagePullPolicy"]
        for name, pod in specs.items()
        for container in containers(pod)
    }
    assert found == dict.fromkeys(found, policy)
    assert {"run ipc-bridge", "run agent", "channel slack channel"} <= found.keys()


def test_the_port_of_a_bus_of_ones_own_is_opened_to_all_who_use_it(helm: str) -> None:
    given = "nats.external.url=nats://bus:6222,nats.external.secret=bus,nats.external.port=6222"
    rendered = objects(helm, "--set", given)
    pods = pod_settings(pod_specs(rendered))
    egress = {
        name: named(rendered, "NetworkPolicy", f"sympozium-{name}")["spec"]["egress"]
        for name in ("controller", "router", "jobs")
    }
    egress |= {"runs": list(pods.run_egress), "channels": list(pods.channel_egress)}
    assert {name for name, rules in egress.items() if 6222 in ports(rules)} == egress.keys()


@pytest.mark.parametrize("platform", ["slack", "telegram", "discord"])
def test_prometheus_finds_and_reaches_each_chat_channel(helm: str, platform: Any) -> None:
    rendered = objects(
        helm,
        *("--set", "monitoring.serviceMonitor.enabled=true"),
        *("--set-json", f"networkPolicies.metricsFrom={json.dumps([NEAR, FAR])}"),
    )
    pods = pod_settings(pod_specs(rendered))
    template = build_deployment(OWNER, spec(platform), pods)["spec"]["template"]
    monitor = named(rendered, "PodMonitor", "sympozium-channels")["spec"]
    wanted = monitor["selector"]["matchLabels"]
    assert wanted.items() <= template["metadata"]["labels"].items()
    assert monitor["namespaceSelector"] == {"any": True}
    (endpoint,) = monitor["podMetricsEndpoints"]
    (container,) = template["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    policy = around(NETWORK_POLICIES, spec(platform), pods)
    assert policy is not None
    (rule,) = [one for one in policy["spec"]["ingress"] if "from" in one]
    assert [port["port"] for port in rule["ports"]] == [endpoint["port"]]
    home = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
    assert rule["from"] == [{**NEAR, "namespaceSelector": home}, FAR]


def test_nobody_reads_the_metrics_of_channels_unless_the_values_say_so(helm: str) -> None:
    rendered = objects(helm)
    assert pod_settings(pod_specs(rendered)).metrics_from == ()
    assert "PodMonitor" not in {obj["kind"] for obj in rendered}


def test_channels_are_open_to_prometheus_where_the_system_is(helm: str) -> None:
    rendered = objects(helm, "--set", "networkPolicies.enabled=false")
    assert pod_settings(pod_specs(rendered)).metrics_from == ({"namespaceSelector": {}},)


def pod_settings(specs: dict[str, Object]) -> PodSettings:
    """Return what the controller is told of the pods that it makes."""
    (container,) = specs["Deployment sympozium-controller"]["containers"]
    env = {one["name"]: one.get("value", "") for one in container["env"]}
    return read_settings(env).pods


def containers(pod: Object) -> Iterator[Object]:
    """Yield every container of a pod."""
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


def ports(rules: list[Object]) -> set[int | str]:
    """Return the ports that rules name."""
    return {port["port"] for rule in rules for port in rule.get("ports", ())}
