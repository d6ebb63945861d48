"""What a tenant tries against another one, from inside its own pods; by the numbers of FAULTS.

It has three places to try it from: a run that was taken over, with the tokens of its bridge and
of its skill; the program of its Channel; and a pod that its administrator made, who may do
everything that the cluster's role `admin` allows in that namespace, and nothing elsewhere.
"""

import json

import msgspec
import pytest

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from tests.admission import objects
from tests.kube.attacked import (
    OURS,
    READER,
    THEIRS,
    WEB_PORT,
    WORKER,
    Holder,
    addresses,
    bridge_of,
    chat_token,
    refuses_listening,
    refuses_publishing,
    restricted_container,
    web_channel,
    web_chat_url,
    without_controllers,
)
from tests.kube.cluster import Clients
from tests.kube.inside import (
    API_TOKEN,
    BUS_TOKEN,
    REACH,
    Answer,
    Attempt,
    LiveRun,
    Pod,
    admit,
    agent,
    have_the_model_take_its_time,
    run,
    status_at_end,
    status_of,
    wait_until,
)
from tests.kube.release import SYSTEM_NAMESPACE, secret

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("slow_model")]

CORE = "/api/v1/namespaces"
SYMPOZIUM = "/apis/sympozium.ai/v1alpha1/namespaces"
RIGHTS = "/apis/rbac.authorization.k8s.io/v1/namespaces"
WEBHOOK = "/sympozium-webhook"
OURS_ALONE = "ours-alone"
"""A name that only the attacked tenant has given: to a Secret and to an Agent."""


@pytest.fixture(scope="module", autouse=True)
def treasure(tenants: Clients, model_port: int) -> None:
    """What only the attacked tenant has."""
    tenants.apply(secret(OURS_ALONE, OURS, {"token": "treasure", "OPENAI_API_KEY": "treasure"}))
    tenants.apply(agent(OURS, OURS_ALONE, model_port))


def ask(pod: Pod, *attempts: Attempt) -> list[Answer]:
    """Ask the API server as the stranger."""
    return pod.ask(WORKER, API_TOKEN, *attempts)


def created(namespace: str, plural: str, text: str, group: str = SYMPOZIUM) -> Attempt:
    """Return the attempt that creates the object of a manifest."""
    return Attempt("POST", f"{group}/{namespace}/{plural}", json.loads(text))


def until_admitted(stranger: Pod, wanted: Attempt) -> None:
    """Create a run, once the copies of the webhook are up to date."""
    wait_until(lambda: ask(stranger, wanted)[0].code in {201, 409})


def token_for(namespace: str, account: str, audience: str = "") -> Attempt:
    """Return the attempt that asks for a token of a ServiceAccount."""
    body: Object = {"spec": {"audiences": [audience]} if audience else {}}
    return Attempt("POST", f"{CORE}/{namespace}/serviceaccounts/{account}/token", body)


# On the bus.


@pytest.mark.parametrize(
    "account", [WORKER, "sympozium-router", "sympozium-controller", "sympozium-operator"]
)
def test_1_whatever_account_a_tenant_makes_is_nobody_on_the_bus(
    stranger: Pod, foreign: LiveRun, bus_address: tuple[str, str], account: str
) -> None:
    named = {"metadata": {"name": account}}
    make = Attempt("POST", f"{CORE}/{THEIRS}/serviceaccounts", named)
    made, given = ask(stranger, make, token_for(THEIRS, account, "nats"))
    assert made.code in {201, 409}
    assert given.code == 201, given
    said = stranger.on_bus(WORKER, bus_address, given.body["status"]["token"])["said"]
    assert any("Authorization Violation" in line for line in said), said
    assert "PONG" not in said
    known = stranger.on_bus(WORKER, bus_address, foreign.bus_token())["said"]
    assert "PONG" in known, "it is not the network that refuses"


@pytest.mark.parametrize(
    "account", ["sympozium-run", "sympozium-run-cluster-reader", "channel-web"]
)
def test_1_a_lasting_token_of_a_run_or_a_channel_is_nobodys_on_the_bus(
    tenants: Clients,
    stranger: Pod,
    foreign_chat: Pod,
    bus_address: tuple[str, str],
    account: str,
) -> None:
    annotations = {"kubernetes.io/service-account.name": account}
    metadata = {"name": f"lasting-{account}", "annotations": annotations}
    lasting = {"metadata": metadata, "type": "kubernetes.io/service-account-token"}
    (made,) = ask(stranger, Attempt("POST", f"{CORE}/{THEIRS}/secrets", lasting))
    assert made.code == 201, made
    held = Attempt("GET", f"{CORE}/{THEIRS}/secrets/lasting-{account}")
    wait_until(lambda: "token" in (ask(stranger, held)[0].body.get("data") or {}))
    token = tenants.kubectl(
        *("-n", THEIRS, "get", "secret", f"lasting-{account}"),
        *("-o", "go-template={{.data.token | base64decode}}"),
    )
    said = stranger.on_bus(WORKER, bus_address, token)["said"]
    assert any("Authorization Violation" in line for line in said), said
    assert "PONG" not in said


def named_by_ours(uid: str) -> list[str]:
    """Return every subject of the attacked tenant on which its own parts speak or are spoken to."""
    of_channel = [f"{kind}.{OURS}.web" for kind in ("inbox", "outbox", "history", "notes")]
    of_run = [f"{kind}.{OURS}.{uid}" for kind in ("live", "context", "fetch")]
    return [
        *of_channel,
        *of_run,
        f"report.{OURS}.web",
        f"fetch.{OURS}.web",
        f"runs.{OURS}.{uid}.out",
        f"runs.{OURS}.{uid}.in",
        f"files.{OURS}.{uid}.f.0",
        f"files.{OURS}.web.f.0",
        f"dead.INBOX.{OURS}.web",
        f"dead.OUTBOX.{OURS}.web",
        f"waiting.{OURS}",
        f"_INBOX.run.{OURS}.{uid}.x",
        f"_INBOX.channel.{OURS}.web.x",
        "_INBOX.router.x",
    ]


def taken_from_streams(uid: str) -> list[str]:
    """Return requests that would read or change what streams hold of the attacked tenant."""
    consumer = f"channel_{OURS}_web"
    return [
        "$JS.API.INFO",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.LIST",
        *(f"$JS.API.STREAM.INFO.{stream}" for stream in ("INBOX", "OUTBOX", "RUNS", "FILES")),
        *(f"$JS.API.STREAM.MSG.GET.{stream}" for stream in ("INBOX", "OUTBOX", "RUNS", "DEAD")),
        "$JS.API.STREAM.MSG.DELETE.RUNS",
        "$JS.API.STREAM.PURGE.OUTBOX",
        f"$JS.API.DIRECT.GET.RUNS.runs.{OURS}.{uid}.out",
        f"$JS.API.DIRECT.GET.FILES.files.{OURS}.{uid}.f.0",
        f"$JS.API.DIRECT.GET.INBOX.inbox.{OURS}.web",
        "$JS.API.CONSUMER.NAMES.OUTBOX",
        f"$JS.API.CONSUMER.INFO.OUTBOX.{consumer}",
        f"$JS.API.CONSUMER.MSG.NEXT.OUTBOX.{consumer}",
        "$JS.API.CONSUMER.MSG.NEXT.INBOX.router",
        "$JS.API.CONSUMER.MSG.NEXT.RUNS.controller",
        f"$JS.API.CONSUMER.DELETE.OUTBOX.{consumer}",
        "$JS.API.CONSUMER.DURABLE.CREATE.RUNS.mine",
        f"$JS.API.CONSUMER.CREATE.RUNS.mine.runs.{OURS}.>",
        f"$JS.ACK.OUTBOX.{consumer}.1.1.1.1.1",
        "$JS.ACK.RUNS.controller.1.1.1.1.1",
    ]


def listening_to_ours(uid: str) -> list[str]:
    """Return subscriptions that would hear something of the attacked tenant."""
    return [
        f"live.{OURS}.{uid}",
        f"live.{OURS}.*",
        f"live.*.{uid}",
        f"runs.{OURS}.{uid}.in",
        f"runs.{OURS}.{uid}.out",
        f"runs.{OURS}.>",
        f"inbox.{OURS}.web",
        f"outbox.{OURS}.web",
        f"context.{OURS}.*",
        f"_INBOX.run.{OURS}.{uid}.>",
        f"_INBOX.run.{OURS}.>",
        f"_INBOX.channel.{OURS}.web.>",
    ]


@pytest.fixture(params=["bridge", "channel"])
def intruder(request: pytest.FixtureRequest, foreign: LiveRun, foreign_chat: Pod) -> Holder:
    """Each part of the other tenant that the bus knows."""
    if request.param == "bridge":
        return bridge_of(foreign)
    return foreign_chat, "channel", foreign_chat.token("channel", BUS_TOKEN)


def test_2_another_tenants_parts_do_not_speak_as_ours(
    intruder: Holder, plain: LiveRun, web_chat: Pod, bus_address: tuple[str, str]
) -> None:
    refuses_publishing(intruder, bus_address, named_by_ours(plain.uid))


def test_3_another_tenants_parts_do_not_hear_what_ours_say_or_are_told(
    intruder: Holder, plain: LiveRun, web_chat: Pod, bus_address: tuple[str, str]
) -> None:
    refuses_listening(intruder, bus_address, listening_to_ours(plain.uid))


def test_4_another_tenants_parts_do_not_reach_what_streams_hold_of_ours(
    intruder: Holder, plain: LiveRun, web_chat: Pod, bus_address: tuple[str, str]
) -> None:
    refuses_publishing(intruder, bus_address, taken_from_streams(plain.uid))


def test_6_a_result_from_another_tenant_ends_no_run_of_ours(
    foreign: LiveRun, plain: LiveRun, bus_address: tuple[str, str]
) -> None:
    result = json.dumps({"type": "result", "text": "forged"})
    subjects = [f"runs.{OURS}.{plain.uid}.out", f"runs.{THEIRS}.{plain.uid}.out"]
    refuses_publishing(bridge_of(foreign), bus_address, subjects, result)
    assert plain.status().get("phase", "Pending") in {"Pending", "Running"}


# At the API server.


def wanted_of_ours(pod: str, run_name: str) -> list[Attempt]:
    """Return what nobody of another tenant may do in the attacked one's namespace."""
    cancel = {"spec": {"cancel": True}}
    review = {"metadata": {"name": "x"}, "spec": {"agentRef": "plain", "task": "x"}}
    run_path = f"{SYMPOZIUM}/{OURS}/agentruns/{run_name}"
    kinds = ("pods", "secrets", "configmaps", "services", "events", "serviceaccounts")
    subject = {"kind": "ServiceAccount", "name": WORKER, "namespace": THEIRS}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}
    binding = {"metadata": {"name": "x"}, "roleRef": role, "subjects": [subject]}
    container = {"metadata": {"name": "x"}, "spec": {"containers": [restricted_container()]}}
    return [
        *(Attempt("GET", f"{CORE}/{OURS}/{kind}") for kind in kinds),
        *(Attempt("GET", f"{SYMPOZIUM}/{OURS}/{kind}") for kind in ("agents", "channels")),
        Attempt("GET", f"{CORE}/{OURS}/secrets/{OURS_ALONE}"),
        Attempt("GET", run_path),
        Attempt("PATCH", run_path, cancel),
        Attempt("DELETE", run_path),
        Attempt("PATCH", f"{run_path}/status", {"status": {"phase": "Succeeded"}}),
        Attempt("POST", f"{SYMPOZIUM}/{OURS}/agentruns", review),
        Attempt("POST", f"{CORE}/{OURS}/pods", container),
        Attempt("POST", f"{RIGHTS}/{OURS}/rolebindings", binding),
        Attempt("GET", f"{CORE}/{OURS}/pods/{pod}/log?container=ipc-bridge"),
        Attempt("GET", f"{CORE}/{OURS}/pods/{pod}/exec?container=agent&command=python"),
        Attempt("POST", f"{CORE}/{OURS}/pods/{pod}/exec?container=agent&command=python"),
        Attempt("POST", f"{CORE}/{OURS}/pods/{pod}/attach?container=agent"),
        Attempt("POST", f"{CORE}/{OURS}/pods/{pod}/portforward?ports=8001"),
        Attempt("GET", f"{CORE}/{OURS}/pods/{pod}:8001/proxy/v1/models"),
        Attempt("GET", f"{CORE}/{OURS}/services/sympozium-channel-web:{WEB_PORT}/proxy/"),
        token_for(OURS, "sympozium-run", "nats"),
        token_for(OURS, "sympozium-run-cluster-reader"),
        token_for(OURS, "channel-web", "nats"),
        token_for(OURS, "default"),
        token_for(SYSTEM_NAMESPACE, "sympozium-router", "nats"),
        token_for(SYSTEM_NAMESPACE, "sympozium-controller"),
        Attempt("GET", f"{CORE}/{SYSTEM_NAMESPACE}/secrets/sympozium-bus"),
        Attempt("GET", "/api/v1/pods"),
        Attempt("GET", "/apis/sympozium.ai/v1alpha1/agentruns"),
    ]


def test_7_another_tenants_skill_holds_nothing_in_our_namespace(
    foreign_reader: LiveRun, plain: LiveRun
) -> None:
    own = Attempt("GET", f"{SYMPOZIUM}/{THEIRS}/agentruns")
    seen, *denied = foreign_reader.ask(
        READER, API_TOKEN, own, *wanted_of_ours(plain.pod, plain.name)
    )
    assert seen.code == 200, "its own right holds"
    assert [one for one in denied if one.code != 403] == []


def test_7_another_tenants_administrator_holds_nothing_in_our_namespace(
    stranger: Pod, plain: LiveRun
) -> None:
    own = Attempt("GET", f"{CORE}/{THEIRS}/secrets")
    seen, *denied = ask(stranger, own, *wanted_of_ours(plain.pod, plain.name))
    assert seen.code == 200, "its own right holds"
    assert [one for one in denied if one.code != 403] == []


def test_7_nobody_becomes_another_by_saying_so(stranger: Pod) -> None:
    path = f"{CORE}/{OURS}/secrets/{OURS_ALONE}"
    whom = (
        f"system:serviceaccount:{SYSTEM_NAMESPACE}:sympozium-controller",
        f"system:serviceaccount:{OURS}:sympozium-run-cluster-reader",
        "system:kube-controller-manager",
        "kubernetes-admin",
    )
    attempts = [Attempt("GET", path, headers={"Impersonate-User": user}) for user in whom]
    for answer in ask(stranger, *attempts):
        assert answer.code == 403, answer
        assert "impersonate" in answer.message


def test_7_a_model_that_was_talked_into_it_reads_nothing_of_another_tenant(
    tenants: Clients, plain: LiveRun, model_port: int
) -> None:
    arguments = json.dumps({"namespace": OURS})
    spy = {"match": "spy", "tool": "list_pods", "arguments": arguments}
    have_the_model_take_its_time(model_port, spy)
    admit(tenants, run(THEIRS, "spy", "reader", task="spy on them"))
    status = status_at_end(tenants, THEIRS, "spy")
    assert status["phase"] == "Succeeded", status
    assert "lacks the right 'list' on 'pods'" in status["result"]
    assert plain.name not in status["result"]


def test_9_another_tenants_administrator_gives_runs_no_rights(stranger: Pod) -> None:
    group = "rbac.authorization.k8s.io"
    subject = {"kind": "ServiceAccount", "name": "sympozium-run", "namespace": THEIRS}
    reference = {"apiGroup": group, "kind": "ClusterRole", "name": "edit"}
    binding = {"metadata": {"name": "x"}, "roleRef": reference, "subjects": [subject]}
    wild = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    role = {"metadata": {"name": "x"}, "rules": [wild]}
    tenant = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}
    given, escalated, relabelled = ask(
        stranger,
        Attempt("POST", f"{RIGHTS}/{THEIRS}/rolebindings", binding),
        Attempt("POST", f"{RIGHTS}/{THEIRS}/roles", role),
        Attempt("PATCH", f"{CORE}/{THEIRS}", tenant),
    )
    assert given.code == 403, given
    assert "is said by the skills of an Agent" in given.message
    assert escalated.code == 403, escalated
    assert "attempting to grant RBAC permissions not currently held" in escalated.message
    assert relabelled.code == 403, relabelled


# What passes for a run, or names what is another's.


def in_workloads(metadata: Object, spec: Object) -> list[Attempt]:
    """Return the attempts to have a pod of this description, by every kind that makes pods."""
    name = {"name": "mine"}
    labels = {"x": "x", **(metadata.get("labels") or {})}
    template = {"metadata": {**metadata, "labels": labels}, "spec": spec}
    once = {"template": {**template, "spec": {**spec, "restartPolicy": "Never"}}}
    again = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": once}}
    many = {"selector": {"matchLabels": labels}, "template": template}
    specs = {"jobs": once, "cronjobs": again, "statefulsets": {**many, "serviceName": "x"}}
    return [
        Attempt("POST", f"{CORE}/{THEIRS}/pods", {"metadata": {**metadata, **name}, "spec": spec}),
        *(
            Attempt(
                "POST",
                f"/apis/{'batch' if 'jobs' in kind else 'apps'}/v1/namespaces/{THEIRS}/{kind}",
                {"metadata": name, "spec": specs.get(kind, many)},
            )
            for kind in (*specs, "deployments", "replicasets", "daemonsets")
        ),
    ]


@pytest.mark.parametrize("key", ["run", "component", "agent", "channel"])
def test_11_nobody_makes_what_passes_for_a_run(stranger: Pod, plain: LiveRun, key: str) -> None:
    value = {"run": plain.name, "component": "run"}.get(key, "web")
    spec = {"containers": [restricted_container()]}
    for field in ("labels", "annotations"):
        marked = in_workloads({field: {f"sympozium.ai/{key}": value}}, spec)
        for answer in ask(stranger, *marked):
            assert answer.code == 403, answer
            # A pod that says that it is one is judged as one, too, and that may be told instead.
            reasons = ("belong to what the controller makes", "of a run or a channel")
            assert any(reason in answer.message for reason in reasons), answer


@pytest.mark.parametrize("account", ["sympozium-run", "channel-web"])
def test_11_nobody_gets_the_identity_of_a_run_or_a_channel(
    stranger: Pod, foreign: LiveRun, foreign_chat: Pod, account: str
) -> None:
    pod = foreign if account == "sympozium-run" else foreign_chat
    bound = token_for(THEIRS, account, "nats")
    bound.body["spec"]["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod.pod}
    for answer in ask(stranger, token_for(THEIRS, account, "nats"), bound):
        assert answer.code == 403, answer
        assert "given to its pods by their kubelet" in answer.message
    spec = {"serviceAccountName": account, "containers": [restricted_container()]}
    for answer in ask(stranger, *in_workloads({}, spec)):
        assert answer.code == 403, answer
        assert "belong to what the controller makes" in answer.message


def test_11_nobody_puts_a_container_into_a_run_or_changes_whose_it_is(
    stranger: Pod, foreign: LiveRun
) -> None:
    path = f"{CORE}/{THEIRS}/pods/{foreign.pod}"
    guest = {**restricted_container(), "name": "guest", "image": "localhost/sympozium/agent:dev"}
    other_image = {"op": "replace", "path": "/spec/containers/0/image", "value": "x:1"}
    json_patch = {"Content-Type": "application/json-patch+json"}
    added, changed, relabelled = ask(
        stranger,
        Attempt("PATCH", f"{path}/ephemeralcontainers", {"spec": {"ephemeralContainers": [guest]}}),
        Attempt("PATCH", path, [other_image], json_patch),
        Attempt("PATCH", path, {"metadata": {"labels": {"sympozium.ai/run": "another"}}}),
    )
    for answer in (added, changed, relabelled):
        assert answer.code == 403, answer
        assert "changed by the controller only" in answer.message


def test_11_nobody_writes_what_a_run_answered_or_whom(stranger: Pod, foreign: LiveRun) -> None:
    source = msgspec.to_builtins(objects.source())
    into_chat = json.loads(run(THEIRS, "into-a-chat", "plain", source=source))
    ahead = json.loads(run(THEIRS, "ahead", "plain"))
    ahead["metadata"]["labels"] = {"sympozium.ai/conversation": "c"}
    own = f"{SYMPOZIUM}/{THEIRS}/agentruns"
    forged, answering, before = ask(
        stranger,
        Attempt("PATCH", f"{own}/{foreign.name}/status", {"status": {"phase": "Succeeded"}}),
        Attempt("POST", own, into_chat),
        Attempt("POST", own, ahead),
    )
    assert forged.code == 403, "a status is the controller's, whoever asks"
    assert answering.code == 403, answering
    assert "only the router says which message a run answers" in answering.message
    assert before.code == 403, before
    assert "are the router's" in before.message
    assert foreign.status().get("phase", "Pending") in {"Pending", "Running"}


def test_12_a_run_names_no_agent_of_another_namespace(stranger: Pod) -> None:
    names = (OURS_ALONE, f"{OURS}/{OURS_ALONE}", f"../../{OURS}/agents/{OURS_ALONE}")
    attempts = [created(THEIRS, "agentruns", run(THEIRS, "twelve", name)) for name in names]
    for answer in ask(stranger, *attempts):
        assert answer.code == 403, answer
        assert "there is no Agent" in answer.message, answer


def test_12_the_webhook_tells_nobody_but_the_api_server_about_agents(
    tenants: Clients, stranger: Pod
) -> None:
    asked = json.loads(run(OURS, "twelve", OURS_ALONE, model={"model": "dearer"}))
    review = {"request": {"uid": "1", "namespace": OURS, "object": asked}}
    selected = ("-l", "sympozium.ai/component=controller")
    for pod in tenants.get("-n", SYSTEM_NAMESPACE, "pods", *selected)["items"]:
        root = f"https://{pod['status']['podIP']}:8443"
        paths = ("/", "/validate/agentruns", "/validate/agentruns/x")
        attempts = [Attempt("POST", path, review) for path in paths]
        for answer in stranger.ask(WORKER, API_TOKEN, *attempts, root=root):
            assert answer.code == 404, answer
    configured = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    for answer in ask(stranger, *(Attempt("GET", configured + tail) for tail in ("", WEBHOOK))):
        assert answer.code == 403, answer


def secrets_elsewhere() -> list[str]:
    """Return ways to write the name of a Secret that is another tenant's."""
    return [
        OURS_ALONE,
        f"{OURS}/{OURS_ALONE}",
        f"../../{OURS}/secrets/{OURS_ALONE}",
        f"..%2F..%2F{OURS}%2Fsecrets%2F{OURS_ALONE}",
    ]


def test_12_a_channel_is_given_no_secret_of_another_namespace(
    tenants: Clients, stranger: Pod, web_chat: Pod
) -> None:
    names = {f"stray-{index}": name for index, name in enumerate(secrets_elsewhere())}
    wanted = [
        created(THEIRS, "channels", web_channel(THEIRS, channel, name))
        for channel, name in names.items()
    ]
    assert [one.code for one in ask(stranger, *wanted)] == [201] * len(names)

    def reason(channel: str) -> str:
        status = tenants.get("-n", THEIRS, "channel", channel).get("status") or {}
        return "".join(
            one["reason"] for one in status.get("conditions") or [] if one["type"] == "Available"
        )

    try:
        wait_until(lambda: all(reason(channel) == "SecretNotFound" for channel in names))
        selected = ("-l", f"sympozium.ai/channel in ({','.join(names)})")
        for pod in tenants.get("-n", THEIRS, "pods", *selected)["items"]:
            for status in pod["status"].get("containerStatuses") or []:
                assert "waiting" in status["state"], "it is not started without its token"
        assert status_of_channel(tenants, OURS, "web") == "Running", "where the Secret is, it works"
    finally:
        ask(stranger, *(Attempt("DELETE", f"{SYMPOZIUM}/{THEIRS}/channels/{n}") for n in names))


def status_of_channel(clients: Clients, namespace: str, name: str) -> str:
    """Return why a channel is available, or not."""
    conditions = clients.get("-n", namespace, "channel", name)["status"]["conditions"]
    (reason,) = [one["reason"] for one in conditions if one["type"] == "Available"]
    return str(reason)


def test_12_an_agent_is_given_no_key_of_another_namespace(
    tenants: Clients, stranger: Pod, model_port: int
) -> None:
    thieves = {f"thief-{index}": name for index, name in enumerate(secrets_elsewhere())}
    for thief, name in thieves.items():
        described = json.loads(agent(THEIRS, thief, model_port))
        described["spec"]["authRefs"] = [{"provider": "openai", "secret": name}]
        (made,) = ask(stranger, created(THEIRS, "agents", json.dumps(described)))
        assert made.code == 201, made
        theft = created(THEIRS, "agentruns", run(THEIRS, thief, thief))
        until_admitted(stranger, theft)
    for thief in thieves:
        status = status_at_end(tenants, THEIRS, thief)
        assert status["error"]["reason"] == Reason.CONFIGURATION, status


# Over the network.


def test_24_another_tenants_run_reaches_nothing_of_ours(
    tenants: Clients, foreign: LiveRun, plain: LiveRun, web_chat: Pod
) -> None:
    ports = {WEB_PORT, 8001, 8080, 8222}
    targets = {
        f"{address}:{port}"
        for address, named in addresses(tenants, OURS).items()
        for port in {*named, *ports}
    }
    targets.add(web_chat_url(tenants, OURS).removeprefix("http://"))
    assert len(targets) > 6
    for container in ("agent", "ipc-bridge"):
        assert foreign.python(container, REACH, *sorted(targets)) == []


def test_24_another_tenants_pod_reaches_our_web_chat_and_is_asked_for_its_token(
    tenants: Clients, stranger: Pod, plain: LiveRun, web_chat: Pod, foreign_chat: Pod
) -> None:
    ports = {WEB_PORT, 8001, 8080, 8222}
    chat = tenants.get("-n", OURS, "pod", web_chat.pod)["status"]["podIP"]
    targets = {
        f"{address}:{port}"
        for address, named in addresses(tenants, OURS).items()
        for port in {*named, *ports}
    }
    assert stranger.python(WORKER, REACH, *sorted(targets)) == [f"{chat}:{WEB_PORT}"]
    path = "/api/conversations/c/messages"
    host = {"Host": f"127.0.0.1:{WEB_PORT}"}
    said = {"text": "hello"}
    attempts = [
        Attempt("GET", path, headers=host),
        Attempt("POST", path, said, host),
        Attempt("GET", "/api/conversations/c/events", headers=host),
        Attempt("GET", path),
    ]
    url = web_chat_url(tenants, OURS)
    for token in ("", chat_token(THEIRS), "treasure"):
        codes = [one.code for one in stranger.ask(WORKER, token, *attempts, root=url)]
        assert codes == [401, 401, 401, 403], (token, codes)
    (heard,) = stranger.ask(WORKER, chat_token(OURS), attempts[0], root=url)
    assert heard.code == 200, "whoever has the token is a person of that chat"


def test_24_another_tenants_pod_reaches_nothing_of_the_system_but_the_bus_and_the_webhook(
    tenants: Clients, stranger: Pod, bus_address: tuple[str, str]
) -> None:
    opened = {"nats": 4222, "controller": 8443}
    pods = tenants.get("-n", SYSTEM_NAMESPACE, "pods")["items"]
    component = {
        pod["status"]["podIP"]: pod["metadata"]["labels"].get("sympozium.ai/component", "")
        for pod in pods
        if pod["status"]["phase"] == "Running"
    }
    ports = {4222, 5432, 6222, 7777, 8080, 8081, 8222, 8443}
    targets = {
        f"{address}:{port}"
        for address, named in addresses(tenants, SYSTEM_NAMESPACE).items()
        for port in {*named, *ports}
    }
    reached = stranger.python(WORKER, REACH, *sorted(targets))
    expected = {
        f"{address}:{opened[name]}" for address, name in component.items() if name in opened
    }
    assert set(reached) == expected


# What a pod may be.


def test_32_pod_security_denies_what_the_policies_deny(stranger: Pod) -> None:
    kinds: tuple[Object, ...] = (
        {"hostNetwork": True},
        {"hostPID": True},
        {"hostIPC": True},
        {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
        {"containers": [{"name": "x", "image": "x:1", "securityContext": {"privileged": True}}]},
        {"containers": [{"name": "x", "image": "x:1", "securityContext": {"runAsUser": 0}}]},
        {"containers": [with_capability("NET_ADMIN")]},
        {"containers": [with_capability("SYS_PTRACE")]},
    )
    named = {"metadata": {"name": "mine"}}
    specs = [{"containers": [restricted_container()], **kind} for kind in kinds]
    attempts = [Attempt("POST", f"{CORE}/{THEIRS}/pods", {**named, "spec": spec}) for spec in specs]
    for answer in ask(stranger, *attempts):
        assert answer.code == 403, answer
        assert "violates PodSecurity" in answer.message


def with_capability(name: str) -> Object:
    """Return a container that asks for a capability more."""
    container = restricted_container()
    container["securityContext"]["capabilities"]["add"] = [name]
    return container


def test_34_without_the_webhook_no_run_is_admitted_and_none_is_lost(
    tenants: Clients, stranger: Pod, foreign: LiveRun
) -> None:
    wanted = created(THEIRS, "agentruns", run(THEIRS, "thirtyfour", "plain"))
    path = f"{SYMPOZIUM}/{THEIRS}/agentruns/{foreign.name}"
    with without_controllers(tenants):
        refused, kept = ask(stranger, wanted, Attempt("PATCH", path, {"spec": {"cleanup": "keep"}}))
        assert refused.code >= 400, refused
        assert 'failed calling webhook "runs.sympozium.ai"' in refused.message
        assert kept.code == 200, "all else goes on"
    until_admitted(stranger, wanted)
    wait_until(lambda: bool(status_of(tenants, THEIRS, "thirtyfour")))
