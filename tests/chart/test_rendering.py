"""What the chart installs: the same every time, labelled, and no more than it needs."""

import json
import re
from pathlib import Path

import pytest

from sympozium.contract.crds import DEFINITIONS, definition_objects
from sympozium_controller.settings import read_settings
from tests.chart.helm import (
    CHART,
    CRDS_CHART,
    NAMESPACE,
    Object,
    named,
    objects,
    pod_specs,
    run,
    template,
)

PRODUCTION = ("-f", str(CHART / "values-production.yaml"))
EVERYTHING = (
    *("--set", "nats.replicas=3"),
    *("--set", "monitoring.serviceMonitor.enabled=true"),
    *("--set-json", 'networkPolicies.metricsFrom=[{"podSelector":{}}]'),
    *("--set", "monitoring.prometheusRule.enabled=true"),
)
PART_OF = "app.kubernetes.io/part-of"
REFUSALS = "_contradictions.tpl"
"""Looks at what is installed to refuse an upgrade, and renders nothing."""

UNSTABLE = re.compile(r"\b(lookup|rand\w+|gen\w+Cert\w*|genCA|now|uuidv4|date)\b")


@pytest.mark.parametrize("chart", [CHART, CRDS_CHART], ids=lambda chart: chart.name)
def test_helm_finds_nothing_to_complain_about(helm: str, chart: Path) -> None:
    done = run(helm, "lint", "--strict", str(chart))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", [(), PRODUCTION, EVERYTHING], ids=["try", "production", "all"])
def test_the_same_values_render_the_same(helm: str, values: tuple[str, ...]) -> None:
    assert template(helm, *values) == template(helm, *values)


def test_no_template_asks_for_what_differs_from_time_to_time() -> None:
    for path in sorted((CHART / "templates").rglob("*.*")):
        actions = re.findall(r"\{\{-?(?!\s*/\*)(.*?)-?\}\}", path.read_text(), re.DOTALL)
        found = [one for one in actions if UNSTABLE.search(one)]
        if path.name != REFUSALS:
            assert found == [], path.name
        assert all("lookup" in one for one in found)


def test_where_a_cluster_is_asked_for_what_it_holds_nothing_is_rendered(helm: str) -> None:
    only = ("--show-only", "templates/contradictions.yaml")
    done = run(helm, "template", "sympozium", str(CHART), *only)
    assert "could not find template" in done.stderr  # which helm says of one that is empty
    assert done.stdout.strip() == ""


def test_secrets_are_empty(helm: str) -> None:
    secrets = [obj for obj in objects(helm) if obj["kind"] == "Secret"]
    assert {"sympozium-bus", "sympozium-store", "sympozium-webhook"} <= {
        secret["metadata"]["name"] for secret in secrets
    }
    assert not any(secret.get("data") or secret.get("stringData") for secret in secrets)


@pytest.mark.parametrize("values", [(), PRODUCTION, EVERYTHING], ids=["try", "production", "all"])
def test_everything_is_found_by_one_label(helm: str, values: tuple[str, ...]) -> None:
    for obj in objects(helm, *values):
        labels = obj["metadata"].get("labels") or {}
        assert labels.get(PART_OF) == "sympozium", (obj["kind"], obj["metadata"]["name"])


def test_volumes_are_found_by_the_same_label(helm: str) -> None:
    claims = [
        claim["metadata"]["labels"]
        for obj in objects(helm)
        if obj["kind"] == "StatefulSet"
        for claim in obj["spec"]["volumeClaimTemplates"]
    ]
    assert [claim[PART_OF] for claim in claims] == ["sympozium", "sympozium"]


def test_the_namespace_is_the_one_of_the_release(helm: str) -> None:
    done = run(helm, "template", "x", str(CHART), "-n", "elsewhere")
    text = re.sub(r"^ *#.*$", "", done.stdout, flags=re.MULTILINE)
    assert NAMESPACE not in text


def test_kinds_are_kept_unless_they_are_told_to_go(helm: str) -> None:
    def policies(*values: str) -> list[str | None]:
        return [
            (obj["metadata"].get("annotations") or {}).get("helm.sh/resource-policy")
            for obj in objects(helm, *values)
            if obj["kind"] == "CustomResourceDefinition"
        ]

    assert policies() == ["keep"] * len(DEFINITIONS)
    assert policies("--set", "crds.keep=false") == [None] * len(DEFINITIONS)
    assert policies("--set", "crds.enabled=false") == []


def test_the_kinds_are_those_of_the_contract(helm: str) -> None:
    rendered = {obj["metadata"]["name"]: obj["spec"] for obj in objects(helm, chart=CRDS_CHART)}
    assert rendered == {obj["metadata"]["name"]: obj["spec"] for obj in definition_objects()}


def test_no_right_is_a_wildcard(helm: str) -> None:
    rules = [
        (obj["metadata"]["name"], rule)
        for obj in objects(helm, *EVERYTHING)
        if obj["kind"] in {"Role", "ClusterRole"}
        for rule in obj.get("rules") or []
    ]
    assert rules
    assert [one for one in rules if any("*" in values for values in one[1].values())] == []


def test_nobody_may_list_secrets_or_read_one_of_the_system_that_is_not_named(helm: str) -> None:
    for obj in objects(helm):
        labels = obj["metadata"].get("labels") or {}
        is_peoples = labels.get("sympozium.ai/component") == "people"
        is_tenants = obj["metadata"]["name"] == "sympozium-tenant-controller"
        for rule in obj.get("rules") or []:
            if "secrets" in rule.get("resources", ()) and not rule.get("resourceNames"):
                assert is_peoples or (is_tenants and rule["verbs"] == ["get"]), obj


@pytest.mark.parametrize("values", [(), PRODUCTION, EVERYTHING], ids=["try", "production", "all"])
def test_every_pod_is_restricted(helm: str, values: tuple[str, ...]) -> None:
    specs = pod_specs(objects(helm, *values))
    assert len(specs) >= 4
    assert {name: violations(spec) for name, spec in specs.items() if violations(spec)} == {}


def violations(spec: Object) -> list[str]:
    """Return what Pod Security "restricted" has against a pod.

    Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    pod = spec.get("securityContext") or {}
    found = [name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "projected", "secret"}
    allowed.add("persistentVolumeClaim")
    for volume in spec.get("volumes") or []:
        found += [f"volume {kind}" for kind in volume.keys() - {"name"} - allowed]
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        own = container.get("securityContext") or {}
        checks = {
            "escalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": (own.get("capabilities") or {}).get("drop") == ["ALL"],
            "root": pod.get("runAsNonRoot") is True and pod.get("runAsUser", 0) > 0,
            "seccomp": (pod.get("seccompProfile") or {}).get("type") == "RuntimeDefault",
            "writable root": own.get("readOnlyRootFilesystem") is True,
            "memory": "memory" in (container.get("resources") or {}).get("limits", {}),
        }
        found += [f"{container['name']}: {name}" for name, is_good in checks.items() if not is_good]
    return found


def test_servers_have_no_token_for_the_api(helm: str) -> None:
    for name in ("sympozium-nats", "sympozium-postgresql"):
        spec = named(objects(helm), "StatefulSet", name)["spec"]["template"]["spec"]
        assert spec["automountServiceAccountToken"] is False
        (server,) = spec["containers"]
        assert "api-token" not in {mount["name"] for mount in server["volumeMounts"]}


def test_nothing_that_is_alone_blocks_a_drain(helm: str) -> None:
    def budgets(*values: str) -> set[str]:
        found = objects(helm, *values)
        return {obj["metadata"]["name"] for obj in found if obj["kind"] == "PodDisruptionBudget"}

    assert budgets() == {"sympozium-controller", "sympozium-router"}
    assert budgets("--set", "router.replicas=1") == {"sympozium-controller"}
    assert "sympozium-nats" in budgets("--set", "nats.replicas=3")


def test_servers_of_ones_own_take_the_place_of_the_charts(helm: str) -> None:
    found = objects(
        helm,
        *("--set", "nats.external.url=nats://bus:4222,nats.external.secret=bus"),
        *("--set", "sessions.external.secret=database"),
    )
    names = {obj["metadata"]["name"] for obj in found if obj["kind"] != "NetworkPolicy"}
    assert not {name for name in names if "nats" in name or "postgresql" in name}
    router = named(found, "Deployment", "sympozium-router")
    variables = router["spec"]["template"]["spec"]["containers"][0]["env"]
    (url,) = [one for one in variables if one["name"] == "SYMPOZIUM_STORE_URL"]
    assert url["valueFrom"]["secretKeyRef"] == {"name": "database", "key": "url"}


def test_three_servers_of_the_bus_know_each_other(helm: str) -> None:
    found = named(objects(helm, *EVERYTHING), "StatefulSet", "sympozium-nats")
    (setup,) = found["spec"]["template"]["spec"]["initContainers"]
    (routes,) = [one for one in setup["env"] if one["name"] == "SYMPOZIUM_NATS_ROUTES"]
    assert routes["value"].split(",") == [
        f"sympozium-nats-{number}.sympozium-nats-peers.{NAMESPACE}.svc:6222" for number in range(3)
    ]


@pytest.mark.parametrize("volume", ["Memory", "Disk"])
def test_the_files_of_runs_are_where_the_values_say(helm: str, volume: str) -> None:
    specs = pod_specs(objects(helm, "--set", f"runs.volume={volume}"))
    (container,) = specs["Deployment sympozium-controller"]["containers"]
    env = {one["name"]: one.get("value", "") for one in container["env"]}
    assert env["SYMPOZIUM_RUN_VOLUME"] == volume
    read = read_settings({**env, "SYMPOZIUM_NATS_URL": "nats://bus:4222"})
    assert read.pods.volume_in_memory == (volume == "Memory")


@pytest.mark.parametrize("dns", ["true", "false"])
def test_runs_reach_a_resolver_only_where_they_are_to_ask_it(helm: str, dns: str) -> None:
    specs = pod_specs(objects(helm, "--set", f"runs.dns={dns}"))
    (container,) = specs["Deployment sympozium-controller"]["containers"]
    env = {one["name"]: one.get("value", "") for one in container["env"]}
    rules = json.loads(env["SYMPOZIUM_RUN_EGRESS"])
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    assert (53 in ports, env["SYMPOZIUM_RUN_DNS"]) == (
        (True, "yes") if dns == "true" else (False, "no")
    )
