"""Every value does something: none is accepted and ignored."""

import json
from functools import cache
from typing import Any

import pytest
import yaml

from tests.chart.helm import CHART, leaves, objects, template

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())

OTHERWISE: dict[str, Any] = {
    "runs.volume": "Disk",
    "images.registry": "registry.example.org",
    "images.pullPolicy": "Always",
    "images.pullSecrets": ["pull"],
    "nats.replicas": 3,
    "nats.image.digest": "sha256:" + "a" * 64,
    "nats.storage.size": "9Gi",
    "sessions.postgresql.image.digest": "sha256:" + "a" * 64,
    "sessions.postgresql.storage.size": "9Gi",
    "runs.egress": [{"ports": [{"port": 11434}]}],
    "tenants.quota": {"pods": "20"},
    "tenants.limits": [{"type": "Container", "max": {"memory": "2Gi"}}],
    "placement.nodeSelector": {"pool": "system"},
    "placement.tolerations": [{"key": "system", "operator": "Exists"}],
    "networkPolicies.dns": [{"ipBlock": {"cidr": "10.96.0.10/32"}}],
    "networkPolicies.apiServer.cidrs": ["10.0.0.1/32"],
    "networkPolicies.apiServer.ports": [7443],
    "networkPolicies.metricsFrom": [{"podSelector": {}}],
    "monitoring.serviceMonitor.labels": {"team": "x"},
    "monitoring.serviceMonitor.interval": "10s",
    "monitoring.prometheusRule.labels": {"team": "x"},
    "nats.external.url": "nats://another:4222",
    "nats.external.secret": "another",
    "sessions.external.secret": "another",
    "example.skills": ["cluster-reader"],
    "example.model.baseURL": "https://models.example.org/v1",
    "controller.logLevel": "DEBUG",
    "router.logLevel": "DEBUG",
}
"""A value that differs from the default, where a number or a word more would not be one."""

SCRAPED = 'networkPolicies.metricsFrom=[{"podSelector":{}}]'

WHERE: dict[str, tuple[str, ...]] = {
    "nats.external": ('nats.external={"url":"tls://it","secret":"it"}',),
    "sessions.external.port": ('sessions.external.secret="it"',),
    "monitoring.serviceMonitor.labels": ("monitoring.serviceMonitor.enabled=true", SCRAPED),
    "monitoring.serviceMonitor.interval": ("monitoring.serviceMonitor.enabled=true", SCRAPED),
    "monitoring.serviceMonitor.enabled": (SCRAPED,),
    "runs.maxConcurrentPerNamespace": ("runs.maxConcurrent=9",),
    "monitoring.prometheusRule.labels": ("monitoring.prometheusRule.enabled=true",),
}
"""What else has to be set for the values below to matter."""

WITH: dict[str, tuple[str, ...]] = {"nats.external.port": ('nats.external.url="tls://it:4223"',)}
"""What has to change with a value; where that one arrives is in `test_arrival`."""


def another(path: str, value: Any) -> Any:
    """Return an accepted value other than the one that is the default."""
    if path in OTHERWISE:
        return OTHERWISE[path]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if path.endswith("digest"):
        return "sha256:" + "b" * 64
    if path.endswith(("cpu", "memory")):
        return "77Mi"
    return f"{value}x" if value else "other"


@pytest.mark.parametrize(("path", "value"), list(leaves(VALUES)), ids=lambda one: str(one)[:40])
def test_a_value_changes_what_is_rendered(helm: str, path: str, value: Any) -> None:
    settings = next((WHERE[above] for above in WHERE if path.startswith(above)), ())
    around = [part for one in settings for part in ("--set-json", one)]
    along = [part for one in WITH.get(path, ()) for part in ("--set-json", one)]
    changed = [*along, "--set-json", f"{path}={json.dumps(another(path, value))}"]
    assert template(helm, *around, *changed) != _unchanged(helm, *around)


@cache
def _unchanged(helm: str, *around: str) -> str:
    return template(helm, *around)


def test_each_image_is_the_one_that_was_asked_for(helm: str) -> None:
    text = template(helm, "--set", "images.registry=registry.example.org/team,images.tag=v9")
    for name in ("controller", "router", "agent", "channel-web", "channel-slack"):
        assert f"registry.example.org/team/sympozium/{name}:v9" in text
    digest = "sha256:" + "c" * 64
    text = template(helm, "--set", f"images.agent.digest={digest}")
    assert f"localhost/sympozium/agent@{digest}" in text


def test_servers_of_others_are_pinned_by_digest(helm: str) -> None:
    images = [
        container["image"]
        for obj in objects(helm)
        if obj["kind"] == "StatefulSet"
        for container in obj["spec"]["template"]["spec"]["containers"]
    ]
    assert len(images) == 2
    assert all("@sha256:" in image for image in images)


@pytest.mark.parametrize("name", ["values.yaml", "values-production.yaml"])
def test_every_value_is_explained(name: str) -> None:
    """A comment stands directly above each value, or above the group that it is in."""
    groups: list[tuple[int, bool]] = []
    is_commented, missing = False, []
    for line in (CHART / name).read_text().splitlines():
        text = line.strip()
        if not text or text.startswith(("#", "-")):
            is_commented = text.startswith("#")
            continue
        indent = len(line) - len(line.lstrip())
        groups = [group for group in groups if group[0] < indent]
        is_explained = is_commented or any(explained for _, explained in groups)
        groups.append((indent, is_explained))
        if not is_explained and not text.endswith(":"):
            missing.append(line)
        is_commented = is_explained and text.endswith("}")  # a table of like entries
    assert missing == []
