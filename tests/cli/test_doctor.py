"""Every check of `doctor` says what is wrong where something is, and what to do."""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import (
    ADMISSION_POLICY_BINDINGS,
    PART_OF_LABEL,
    ROLE_BINDINGS,
    TENANT_LABEL,
    Object,
)
from sympozium.contract.subjects import STREAMS
from sympozium.contract.times import kube_time
from sympozium_local.cli.access.endpoint import endpoint_of
from sympozium_local.cli.access.kubeconfig import read_kubeconfig
from sympozium_local.cli.checks.admission import policy_checks, webhook_checks
from sympozium_local.cli.checks.bus import bus_checks, server_checks
from sympozium_local.cli.checks.check import Check, State, looked_at
from sympozium_local.cli.checks.installed import kind_checks, namespace_checks, storage_checks
from sympozium_local.cli.checks.network import policy_checks as network_checks
from sympozium_local.cli.checks.probe import judged
from sympozium_local.cli.checks.programs import image_checks, program_checks
from sympozium_local.cli.checks.rights import caller_checks, program_right_checks
from sympozium_local.cli.checks.server import clock_checks, version_checks
from sympozium_local.cli.checks.supervisor import process_checks
from sympozium_local.cli.checks.tenants import agent_checks, channel_checks
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.instance import Instance
from sympozium_local.cli.target import Target
from sympozium_local.system.home import Home
from tests.cli.apis import SYSTEM, Api, webhook
from tests.cli.kubeconfigs import write
from tests.cli.stand_in import Authority, Front
from tests.local.command_line import CommandLine

SYSTEM_PODS = f"/api/v1/namespaces/{SYSTEM}/pods"
SYSTEM_CLAIMS = f"/api/v1/namespaces/{SYSTEM}/persistentvolumeclaims"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
NOBODY: Object = {"items": []}

pytestmark = pytest.mark.timeout(90)
"""The first test of a session waits for an API server and all that is put into it."""


def cluster_of(running: Front, folder: Path) -> Cluster:
    file = write(folder / "kubeconfig", running.kubeconfig())
    return Cluster(endpoint_of(read_kubeconfig([file]).context()))


def states(checks: Iterable[Check]) -> dict[str, State]:
    return {check.about: check.state for check in checks}


def the(checks: Iterable[Check], about: str) -> Check:
    (found,) = [check for check in checks if check.about == about]
    return found


def wrong(checks: Iterable[Check], about: str, says: str) -> None:
    check = the(checks, about)
    assert check.state in {State.BAD, State.WARNING}, check
    assert says in check.text
    assert check.remedy


def target(api: Api) -> Target:
    return Target(api.cluster, "default", "test", "test")


# The API server


@pytest.mark.parametrize(("minor", "state"), [("29+", "bad"), ("30", "ok"), ("36", "ok")])
def test_an_old_server_is_named(scripted: Front, tmp_path: Path, minor: str, state: str) -> None:
    scripted.answers["/version"] = {"major": "1", "minor": minor, "gitVersion": f"v1.{minor}.1"}
    found = states(version_checks(cluster_of(scripted, tmp_path)))
    assert found == {"version": State(state)}


def test_clocks_that_differ_are_named(scripted: Front, tmp_path: Path) -> None:
    scripted.date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    wrong(clock_checks(cluster_of(scripted, tmp_path)), "clock", "s behind the API server")


def lease(age_s: float, holder: str = "controller-1") -> Object:
    renewed = datetime.now(UTC) - timedelta(seconds=age_s)
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "sympozium-controller", "namespace": SYSTEM},
        "spec": {"holderIdentity": holder, "renewTime": renewed.isoformat()[:26] + "Z"},
    }


def test_a_leader_that_is_there_is_fine(installed: Api) -> None:
    installed.put(lease(1))
    assert set(states(clock_checks(installed.cluster)).values()) == {State.OK}


@pytest.mark.parametrize(
    ("age_s", "says"), [(3600, "controller-1 renewed its lease"), (-3600, "ahead of")]
)
def test_a_leader_that_is_gone_or_in_the_future_is_named(
    installed: Api, age_s: float, says: str
) -> None:
    installed.put(lease(age_s))
    wrong(clock_checks(installed.cluster), "leader", says)


def test_no_leader_at_all_is_named(installed: Api) -> None:
    wrong(clock_checks(installed.cluster), "leader", "no controller has ever led")
    installed.put(lease(1, holder=""))
    wrong(clock_checks(installed.cluster), "leader", "no controller leads now")


# What is installed


def test_kinds_of_this_version_are_fine(installed: Api) -> None:
    assert set(states(kind_checks(installed.cluster)).values()) == {State.OK}


def test_kinds_that_are_missing_are_named(bare: Api) -> None:
    found = [*kind_checks(bare.cluster)]
    wrong(found, "agentruns.sympozium.ai", "it is not there")
    assert {check.state for check in found} == {State.BAD}


def test_a_kind_of_another_version_is_named_with_the_field(installed: Api) -> None:
    (definition,) = [
        one for one in definition_objects() if one["metadata"]["name"] == "channels.sympozium.ai"
    ]
    older = json.loads(json.dumps(definition))
    spec = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"]["routes"]
    spec.pop("x-kubernetes-validations", None)
    installed.put(older)
    wrong(kind_checks(installed.cluster), "channels.sympozium.ai", "it is of another version")


def namespace(name: str, labels: Object) -> Object:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def test_a_tenant_without_pod_security_is_named(installed: Api) -> None:
    wrong(namespace_checks(installed.cluster), "namespace default", "enforces nothing there")
    restricted = {TENANT_LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    installed.put(namespace("default", restricted))
    assert states(namespace_checks(installed.cluster))["namespace default"] == State.OK


def test_no_tenant_at_all_is_named(bare: Api) -> None:
    wrong(namespace_checks(bare.cluster), "tenants", "no namespace has the label")


def claim(phase: str, storage_class: str = "") -> Object:
    spec = {"storageClassName": storage_class} if storage_class else {}
    return {"metadata": {"name": "data-0"}, "spec": spec, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("claims", "classes", "about", "says"),
    [
        ([claim("Pending")], [], "volume data-0", "the cluster has no default"),
        ([claim("Pending", "fast")], ["slow"], "volume data-0", "no StorageClass 'fast'"),
        ([claim("Lost", "slow")], ["slow"], "volume data-0", "it is Lost"),
        ([], [], "storage class", "there is no default StorageClass"),
    ],
)
def test_a_volume_that_is_not_bound_is_named_with_the_cause(
    scripted: Front, tmp_path: Path, claims: list[Object], classes: list[str], about: str, says: str
) -> None:
    scripted.answers[SYSTEM_CLAIMS] = {"items": claims}
    scripted.answers[CLASSES] = {"items": [{"metadata": {"name": name}} for name in classes]}
    wrong(storage_checks(cluster_of(scripted, tmp_path)), about, says)


def test_bound_volumes_are_fine(scripted: Front, tmp_path: Path) -> None:
    scripted.answers[SYSTEM_CLAIMS] = {"items": [claim("Bound")]}
    assert states(storage_checks(cluster_of(scripted, tmp_path))) == {"volumes": State.OK}


# Programs


def deployment(ready: int) -> Object:
    labels = {PART_OF_LABEL: "sympozium", "sympozium.ai/component": "router"}
    created = kube_time(datetime.now(UTC))
    name = "sympozium-router"
    return {
        "metadata": {"name": name, "namespace": SYSTEM, "creationTimestamp": created},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}},
        "status": {"readyReplicas": ready},
    }


def pod(*, waiting: str = "", restarts: int = 0) -> Object:
    state: Object = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    status = {"name": "router", "image": "r/router:1", "state": state, "restartCount": restarts}
    metadata = {"name": "sympozium-router-1", "namespace": SYSTEM}
    return {"metadata": metadata, "spec": {}, "status": {"containerStatuses": [status]}}


def programs(scripted: Front, ready: int, pods: list[Object], folder: Path) -> Target:
    apps = f"/apis/apps/v1/namespaces/{SYSTEM}"
    scripted.answers |= {
        f"{apps}/deployments": {"items": [deployment(ready)]},
        f"{apps}/statefulsets": NOBODY,
        "/apis/apps/v1/deployments": NOBODY,
        SYSTEM_PODS: {"items": pods},
        f"/api/v1/namespaces/{SYSTEM}/events": NOBODY,
    }
    return Target(cluster_of(scripted, folder), "default", "test", "test")


NAME = f"{SYSTEM}/sympozium-router"


@pytest.mark.parametrize(
    ("ready", "pods", "says"),
    [
        (1, [pod(waiting="ImagePullBackOff")], "1 of 2 ready: router: ImagePullBackOff"),
        (0, [pod(waiting="CrashLoopBackOff")], "CrashLoopBackOff"),
        (0, [pod()], "have begun and are not ready"),
        (0, [], "it has no pods"),
        (2, [pod(restarts=9)], "after 9 restarts"),
    ],
)
def test_a_program_that_is_not_ready_is_named_with_the_cause(
    scripted: Front, tmp_path: Path, ready: int, pods: list[Object], says: str
) -> None:
    wrong(program_checks(programs(scripted, ready, pods, tmp_path)), NAME, says)


def test_why_no_pod_could_be_made_is_said(scripted: Front, tmp_path: Path) -> None:
    aim = programs(scripted, 0, [], tmp_path)
    event = {"message": "exceeded quota: q", "involvedObject": {"name": "sympozium-router-abc"}}
    scripted.answers[f"/api/v1/namespaces/{SYSTEM}/events"] = {"items": [event]}
    wrong(program_checks(aim), NAME, "exceeded quota: q")


def test_an_image_that_cannot_be_pulled_is_named(scripted: Front, tmp_path: Path) -> None:
    scripted.answers[SYSTEM_PODS] = {"items": [pod(waiting="ErrImagePull")]}
    cluster = cluster_of(scripted, tmp_path)
    wrong(image_checks(cluster, []), "image r/router:1", "waits for it: ErrImagePull")
    scripted.answers[SYSTEM_PODS] = {"items": [pod()]}
    assert states(image_checks(cluster, [])) == {"images": State.OK}


def test_processes_of_this_machine_that_are_not_ready_are_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ready = {"name": "node", "pid": 2, "ready": True}
    home.status.write_text(json.dumps({"programs": [ready, {"name": "apiserver", "pid": 0}]}))
    found = [*process_checks(Instance(home, 1, "http://127.0.0.1:1"))]
    wrong(found, "apiserver", "not ready")
    assert the(found, "node").state == State.OK


# Rights


def test_programs_have_the_rights_that_the_chart_gives(installed: Api) -> None:
    assert set(states(program_right_checks(installed.cluster)).values()) == {State.OK}


@pytest.mark.parametrize("program", ["controller", "router"])
def test_a_binding_that_is_missing_is_found(installed: Api, program: str) -> None:
    installed.remove(ROLE_BINDINGS, "default", f"sympozium-tenant-{program}")
    wrong(program_right_checks(installed.cluster), f"rights of the {program}", "in default")


def test_rights_that_the_caller_lacks_are_told_and_are_no_fault(
    installed: Api, tmp_path: Path
) -> None:
    assert set(states(caller_checks(target(installed))).values()) == {State.OK}
    file = installed.as_account("nobody", tmp_path / "config")
    cluster = Cluster(endpoint_of(read_kubeconfig([file]).context()))
    found = [*caller_checks(Target(cluster, "default", "test"))]
    assert {check.state for check in found} == {State.UNKNOWN}
    assert all("ask for the role" in check.remedy for check in found)
    others = looked_at("rights", lambda: program_right_checks(cluster))
    assert {check.state for check in others} == {State.UNKNOWN}


# Admission


def test_a_policy_that_denies_nothing_is_named(installed: Api) -> None:
    before = states(policy_checks(installed.cluster))
    assert before
    assert set(before.values()) == {State.OK}
    installed.remove(ADMISSION_POLICY_BINDINGS, "", "sympozium-runs")
    found = policy_checks(installed.cluster)
    wrong(found, "policy sympozium-runs", "no binding has it deny anything")


def test_no_policy_at_all_is_named(bare: Api) -> None:
    wrong(policy_checks(bare.cluster), "admission policies", "there are none")


def registered(bundle: bytes) -> Object:
    called = {
        "service": {"name": "sympozium-webhook", "namespace": SYSTEM},
        "caBundle": base64.b64encode(bundle).decode(),
    }
    return {"items": [{"webhooks": [{"name": "runs.sympozium.ai", "clientConfig": called}]}]}


@pytest.mark.parametrize(
    ("bundle", "says"),
    [(b"", "told no certificate authority"), (b"x", "is no certificate"), (b"old", "ended at")],
)
def test_a_webhook_whose_authority_is_broken_is_named(
    scripted: Front, tmp_path: Path, bundle: bytes, says: str
) -> None:
    if bundle == b"old":
        bundle = Authority().issue("ended", life=-timedelta(hours=1)).certificate
    scripted.answers[WEBHOOKS] = registered(bundle)
    scripted.answers["/apis/sympozium.ai/v1alpha1/namespaces/default/agentruns"] = {}
    found = [*webhook_checks(cluster_of(scripted, tmp_path), "default")]
    wrong(found, "webhook runs.sympozium.ai", says)
    assert the(found, "certificate of the webhook").state == State.BAD


def test_a_webhook_that_is_not_registered_is_named(scripted: Front, tmp_path: Path) -> None:
    scripted.answers[WEBHOOKS] = NOBODY
    wrong(webhook_checks(cluster_of(scripted, tmp_path), "default"), "webhook", "not registered")


def test_a_run_that_the_webhook_should_refuse_and_does_not_is_a_fault(
    scripted: Front, tmp_path: Path
) -> None:
    scripted.answers[WEBHOOKS] = registered(scripted.authority.pem)
    scripted.answers["/apis/sympozium.ai/v1alpha1/namespaces/default/agentruns"] = {}
    cluster = cluster_of(scripted, tmp_path)
    found = [*webhook_checks(cluster, "default")]
    assert the(found, "answer of the webhook").state == State.UNKNOWN
    scripted.answers["/api/v1/namespaces/default"] = namespace("default", {TENANT_LABEL: "true"})
    found = [*webhook_checks(cluster, "default")]
    assert the(found, "webhook runs.sympozium.ai").state == State.OK
    wrong(found, "answer of the webhook", "is let into namespace 'default'")


def test_a_webhook_that_nobody_serves_is_named_with_what_to_look_at(installed: Api) -> None:
    installed.put(webhook())
    found = [*webhook_checks(installed.cluster, "default")]
    wrong(found, "answer of the webhook", "failed calling webhook")


# The bus


def told(**changes: object) -> Object:
    """Describe what a healthy server says on /jsz, apart from *changes*."""
    consumers = {"INBOX": ["router_a", "router_b", "router"], "RUNS": ["controller"]}
    streams = [
        {
            "name": stream.name,
            "state": {"messages": 0, "bytes": 0},
            "config": {"max_bytes": stream.max_bytes},
            "consumer_detail": [
                {"name": name, "num_pending": 0, "num_ack_pending": 0}
                for name in consumers.get(stream.name, ())
            ],
        }
        for stream in STREAMS
    ]
    server = {"pod": "nats-0", "store": 0, "config": {"max_storage": 2**30}}
    return {**server, "account_details": [{"stream_detail": streams}], **changes}


def streams_of(server: Object) -> dict[str, Object]:
    return {one["name"]: one for one in server["account_details"][0]["stream_detail"]}


def test_a_healthy_bus_is_fine() -> None:
    assert set(states(server_checks([told()])).values()) == {State.OK}


@pytest.mark.parametrize(
    ("change", "says"), [({"disabled": True}, "is disabled"), ({"store": 2**30 - 1}, "1024 MiB")]
)
def test_a_full_disk_of_the_bus_is_named(change: Object, says: str) -> None:
    wrong(server_checks([told(**change)]), "disk of nats-0", says)


def test_streams_and_consumers_that_are_missing_are_named() -> None:
    server = told(account_details=[])
    found = [*server_checks([server])]
    wrong(found, "stream INBOX", "it is not there")
    wrong(found, "consumers INBOX/router_*", "there is none")
    wrong(found, "consumer RUNS/controller", "it is not there")


def test_a_copy_that_lags_and_a_queue_that_grows_are_named() -> None:
    server = told()
    inbox = streams_of(server)["INBOX"]
    late = {"name": "nats-2", "current": False}
    inbox["cluster"] = {"leader": "nats-0", "replicas": [late]}
    inbox["consumer_detail"][1]["num_pending"] = 5000
    inbox["consumer_detail"][2]["num_pending"] = 9000  # of an earlier version: nobody needs it
    found = [*server_checks([server])]
    wrong(found, "stream INBOX", "nats-2")
    wrong(found, "consumers INBOX/router_*", "5000 messages of namespace b wait")


def test_dead_letters_are_told() -> None:
    server = told()
    streams_of(server)["DEAD"]["state"]["messages"] = 3
    wrong(server_checks([server]), "stream DEAD", "3 dead letters")


def test_a_bus_without_a_ready_server_is_named(scripted: Front, tmp_path: Path) -> None:
    service = f"/api/v1/namespaces/{SYSTEM}/services/sympozium-nats"
    scripted.answers |= {
        service: {"spec": {"selector": {"a": "b"}}},
        SYSTEM_PODS: {"items": [pod(waiting="CrashLoopBackOff")]},
    }
    wrong(bus_checks(cluster_of(scripted, tmp_path)), "bus", "not ready: sympozium-router-1")


def test_a_bus_elsewhere_is_told(scripted: Front, tmp_path: Path) -> None:
    wrong(bus_checks(cluster_of(scripted, tmp_path)), "bus", "not in this cluster")


# Network, agents, channels


def test_network_policies_and_who_enforces_them(scripted: Front, tmp_path: Path) -> None:
    cluster = cluster_of(scripted, tmp_path)
    policies = f"/apis/networking.k8s.io/v1/namespaces/{SYSTEM}/networkpolicies"
    sets = "/apis/apps/v1/namespaces/kube-system/daemonsets"
    scripted.answers |= {policies: NOBODY, sets: NOBODY}
    found = [*network_checks(cluster)]
    wrong(found, "network policies", "every pod of the cluster reaches the bus")
    assert the(found, "enforcement").state == State.UNKNOWN
    scripted.answers |= {
        policies: {"items": [{}]},
        sets: {"items": [{"metadata": {"name": "cilium"}}]},
    }
    assert set(states(network_checks(cluster)).values()) == {State.OK}


@pytest.mark.parametrize(
    ("reached", "state"),
    [
        (["reached", "not reached"], State.OK),
        (["reached", "reached"], State.BAD),
        (["not reached", "not reached"], State.UNKNOWN),
        ([], State.UNKNOWN),
    ],
)
def test_a_trial_of_policies_proves_something_only_if_the_open_pod_was_reached(
    reached: list[str], state: State
) -> None:
    check = judged(reached)
    assert check.state == state
    assert (check.remedy == "") is (state == State.OK)


def test_no_agent_and_an_agent_that_is_not_ready_are_named(installed: Api) -> None:
    wrong(agent_checks(installed.cluster, ""), "agents", "there is none")
    agent = {
        "apiVersion": "sympozium.ai/v1alpha1",
        "kind": "Agent",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"agents": {"default": {"model": "m"}}},
    }
    installed.put(agent)
    wrong(agent_checks(installed.cluster, ""), "default/a", "nothing is known of it yet")


def test_conditions_of_a_channel_are_told(installed: Api) -> None:
    condition = {"type": "Connected", "status": "False", "message": "the token was revoked"}
    metadata = {"name": "c", "namespace": "default"}
    channel: Object = {
        "metadata": metadata,
        "spec": {"type": "elsewhere", "agentRef": "a"},
        "status": {"conditions": [condition]},
    }
    check = the(channel_checks(installed.cluster, channel), "connected")
    assert (check.state, check.text) == (State.BAD, "the token was revoked")
    del channel["status"]
    wrong(channel_checks(installed.cluster, channel), "status", "nothing is known of it yet")


# The command


def test_the_command_says_each_fault_and_ends_with_1(
    installed: Api, sympozium: CommandLine
) -> None:
    installed.remove(ROLE_BINDINGS, "default", "sympozium-tenant-router")
    file = str(installed.kubeconfig)
    answer = sympozium.run("doctor", "--json", KUBECONFIG=file)
    assert answer.returncode == 1, answer.stderr
    told = json.loads(answer.stdout)
    assert told["ok"] is False
    (rights,) = [one for one in told["sections"] if one["title"] == "rights"]
    assert "bad" in [check["state"] for check in rights["checks"]]
    text = sympozium.run("doctor", KUBECONFIG=file)
    assert "BAD  rights of the router" in text.stdout
    assert "-> put its roles and bindings back" in text.stdout
