"""Channels and Agents: what the controller makes of them, and what it says about them."""

from typing import Any

import pytest
from nats.js.errors import NotFoundError as ConsumerNotFoundError

from sympozium.bus.nats import NatsBus
from sympozium.contract.resources import (
    ADMISSION_POLICIES,
    ADMISSION_POLICY_BINDINGS,
    AGENTS,
    CHANNELS,
    CLUSTER_ROLES,
    DEPLOYMENTS,
    NETWORK_POLICIES,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Object,
)
from sympozium.contract.subjects import OUTBOX
from sympozium_controller import agents
from sympozium_controller.runs.trouble import EXIT_CONFIGURATION
from sympozium_controller.settings import Settings
from tests.controller.cluster import NAMESPACE, Cluster, controller

CONSUMER = "channel_default_web"


def condition(obj: Object, type_: str) -> Object:
    """Return a condition of an object, or {} where it has none."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((one for one in conditions if one["type"] == type_), {})


def says(type_: str, status: str) -> Any:
    """Return a predicate on an object's condition."""
    return lambda obj: condition(obj, type_).get("status") == status


async def create_channel(cluster: Cluster, name: str = "web", **web: Any) -> Object:
    return await cluster.kube.create(
        CHANNELS,
        {
            "apiVersion": CHANNELS.api_version,
            "kind": CHANNELS.kind,
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"type": "web", "agentRef": "helper", "web": {"port": 8400, **web}},
        },
    )


async def consumer_exists(bus: NatsBus) -> bool:
    try:
        await bus.client.jetstream().consumer_info(OUTBOX, CONSUMER)
    except ConsumerNotFoundError:
        return False
    return True


async def stands(cluster: Cluster) -> None:
    """Report that the channel's program runs, as the Deployment controller does."""
    deployment = await cluster.until(DEPLOYMENTS, "channel-web", bool)
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    status = {"observedGeneration": deployment["metadata"]["generation"], **counts}
    await cluster.set_status(DEPLOYMENTS, "channel-web", status)


async def test_a_channel_becomes_a_deployment_with_an_identity_of_its_own(
    controlled: Cluster, bus: NatsBus
) -> None:
    await create_channel(controlled, tokenSecretRef="web-token")
    deployment = await controlled.until(DEPLOYMENTS, "channel-web", bool)
    assert "ownerReferences" not in deployment["metadata"]  # it outlives its Channel
    spec = deployment["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "channel-web"
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    env = {one["name"]: one for one in container["env"]}
    assert env["SYMPOZIUM_WEB_PORT"]["value"] == "8400"
    reference = {"name": "web-token", "key": "token"}
    assert env["SYMPOZIUM_WEB_TOKEN"]["valueFrom"]["secretKeyRef"] == reference
    assert await controlled.exists(SERVICE_ACCOUNTS, "channel-web")
    assert await consumer_exists(bus)


async def test_a_channel_is_available_once_its_pod_is(controlled: Cluster) -> None:
    await create_channel(controlled)
    await controlled.until(CHANNELS, "web", says("Available", "False"))
    await stands(controlled)
    channel = await controlled.until(CHANNELS, "web", says("Available", "True"))
    assert channel["status"]["observedGeneration"] == channel["metadata"]["generation"]


async def test_a_channel_is_ready_once_it_is_available_in_the_same_write(
    controlled: Cluster,
) -> None:
    written = []
    await create_channel(controlled)
    channel = await controlled.until(CHANNELS, "web", says("Available", "False"))
    ready, available = condition(channel, "Ready"), condition(channel, "Available")
    assert (ready["status"], ready["reason"]) == ("False", available["reason"])
    assert ready["observedGeneration"] == channel["metadata"]["generation"]
    since = channel["metadata"]["resourceVersion"]
    await stands(controlled)
    async for event in controlled.kube.watch(CHANNELS, NAMESPACE, since=since):
        if event.type == "MODIFIED":
            conditions = event.object["status"]["conditions"]
            written.append({one["type"]: one["status"] for one in conditions})
            if written[-1]["Available"] == "True":
                break
    assert all(one["Ready"] == one["Available"] for one in written), written


async def test_a_channel_is_not_ready_while_its_platform_refuses_it(controlled: Cluster) -> None:
    await create_channel(controlled)
    await controlled.until(CHANNELS, "web", says("Available", "False"))
    channel = await controlled.kube.get(CHANNELS, NAMESPACE, "web")
    refused = {"type": "Connected", "status": "False", "reason": "TokenRevoked", "message": "no"}
    refused["lastTransitionTime"] = "2026-01-02T03:04:05Z"
    conditions = [*channel["status"]["conditions"], refused]
    await controlled.set_status(CHANNELS, "web", {"conditions": conditions})
    await stands(controlled)
    channel = await controlled.until(CHANNELS, "web", says("Available", "True"))
    ready = condition(channel, "Ready")
    assert (ready["status"], ready["reason"], ready["message"]) == ("False", "TokenRevoked", "no")


async def test_a_channel_without_its_secret_is_not_ready_and_says_what_is_missing(
    controlled: Cluster,
) -> None:
    await create_channel(controlled, tokenSecretRef="web-token")
    channel = await controlled.until(CHANNELS, "web", says("Ready", "False"))
    ready = condition(channel, "Ready")
    assert ready["reason"] == "SecretNotFound"
    assert "'web-token'" in ready["message"]


async def test_a_changed_channel_changes_its_deployment(controlled: Cluster) -> None:
    await create_channel(controlled)
    await controlled.until(DEPLOYMENTS, "channel-web", bool)
    await controlled.kube.patch(CHANNELS, NAMESPACE, "web", {"spec": {"web": {"port": 8401}}})

    def listens_there(deployment: Object) -> bool:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return bool(container["ports"][0]["containerPort"] == 8401)

    await controlled.until(DEPLOYMENTS, "channel-web", listens_there)


async def test_an_unchanged_channel_costs_no_write(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    async with controller(cluster, settings):
        await create_channel(cluster)
        await cluster.until(CHANNELS, "web", says("Available", "False"))
        before = await cluster.kube.get(DEPLOYMENTS, NAMESPACE, "channel-web")
    async with controller(cluster, settings):
        await create_channel(cluster, "zebra")
        await cluster.until(CHANNELS, "zebra", says("Available", "False"))
        after = await cluster.kube.get(DEPLOYMENTS, NAMESPACE, "channel-web")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_a_channel_whose_name_is_no_subject_is_told(controlled: Cluster) -> None:
    await create_channel(controlled, "my.web")
    channel = await controlled.until(CHANNELS, "my.web", says("Available", "False"))
    assert condition(channel, "Available")["reason"] == "NameNotAllowed"


async def test_a_channel_whose_deployment_is_refused_says_why(controlled: Cluster) -> None:
    rules = [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["*"],
            "operations": ["CREATE"],
            "resources": ["deployments"],
        }
    ]
    refusal = {"expression": "false", "message": "no bots on Sundays", "reason": "Invalid"}
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": rules},
        "validations": [refusal],
    }
    binding = {"policyName": "sundays", "validationActions": ["Deny"]}
    for resource, spec in ((ADMISSION_POLICIES, policy), (ADMISSION_POLICY_BINDINGS, binding)):
        await controlled.kube.create(resource, {"metadata": {"name": "sundays"}, "spec": spec})
    await create_channel(controlled)
    channel = await controlled.until(CHANNELS, "web", says("Available", "False"))
    told = condition(channel, "Available")
    assert told["reason"] == "NotAccepted"
    assert "no bots on Sundays" in told["message"]
    await controlled.kube.delete(ADMISSION_POLICY_BINDINGS, None, "sundays")
    await controlled.kube.patch(CHANNELS, NAMESPACE, "web", {"spec": {"web": {"port": 8401}}})
    await controlled.until(DEPLOYMENTS, "channel-web", bool)


async def test_an_agents_shorthand_is_a_channel_that_goes_with_it(controlled: Cluster) -> None:
    agent = await controlled.create_agent(channels=[{"type": "web"}])
    channel = await controlled.until(CHANNELS, "helper-web", bool)
    assert channel["spec"]["agentRef"] == "helper"
    assert channel["metadata"]["ownerReferences"][0]["uid"] == agent["metadata"]["uid"]
    await controlled.kube.patch(AGENTS, NAMESPACE, "helper", {"spec": {"channels": []}})
    await controlled.until_gone(CHANNELS, "helper-web")


@pytest.mark.parametrize("has_secret", [True, False])
async def test_an_agent_is_ready_when_its_secrets_are_there(
    controlled: Cluster, has_secret: bool
) -> None:
    if has_secret:
        secret = {"metadata": {"name": "keys", "namespace": NAMESPACE}, "stringData": {"a": "b"}}
        await controlled.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})
    await controlled.create_agent(authRefs=[{"provider": "openai", "secret": "keys"}])
    agent = await controlled.until(AGENTS, "helper", says("Ready", str(has_secret)))
    reason = "Ready" if has_secret else "SecretNotFound"
    assert condition(agent, "Ready")["reason"] == reason


async def test_an_agent_whose_secret_was_deleted_says_so_once_a_run_has_met_it(
    controlled: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "LOOK_AGAIN_S", 0.5)
    secret = {"metadata": {"name": "keys", "namespace": NAMESPACE}, "stringData": {"a": "b"}}
    await controlled.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})
    await controlled.create_agent(authRefs=[{"provider": "openai", "secret": "keys"}])
    await controlled.until(AGENTS, "helper", says("Ready", "True"))
    await controlled.kube.delete(SECRETS, NAMESPACE, "keys")
    await controlled.create_run("r")
    pod = await controlled.create_pod(await controlled.job("r"))
    await controlled.agent_ended(pod, exit_code=EXIT_CONFIGURATION)
    assert (await controlled.ended("r"))["error"]["reason"] == "Configuration"
    agent = await controlled.until(AGENTS, "helper", says("Ready", "False"))
    assert condition(agent, "Ready")["reason"] == "SecretNotFound"
    assert "'keys'" in condition(agent, "Ready")["message"]
    await controlled.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})
    await controlled.until(AGENTS, "helper", says("Ready", "True"))


async def test_a_namespace_gets_identities_and_limits_for_its_runs(controlled: Cluster) -> None:
    await controlled.create_agent()
    await controlled.until(AGENTS, "helper", says("Ready", "True"))
    assert await controlled.exists(SERVICE_ACCOUNTS, "sympozium-run")
    name = "sympozium-skill-cluster-reader"
    binding = await controlled.kube.get(ROLE_BINDINGS, NAMESPACE, name)
    assert [one["name"] for one in binding["subjects"]] == ["sympozium-run-cluster-reader"]
    role = await controlled.kube.get(CLUSTER_ROLES, None, binding["roleRef"]["name"])
    verbs = {verb for rule in role["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    policy = await controlled.kube.get(NETWORK_POLICIES, NAMESPACE, "sympozium-run")
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["podSelector"] == {"matchLabels": {"sympozium.ai/component": "run"}}
