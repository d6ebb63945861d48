"""What a run that was taken over tries, from inside its containers; by the numbers of FAULTS.

The agent container and the bridge share the network of their pod, so no policy of the cluster
can tell them apart there. What the agent lacks is the token: so it reaches the bus, and the bus
does not listen.
"""

import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sympozium.contract.resources import Object
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel, System
from tests.kube.cluster import NODE_ADDRESS, Clients, ClusterError, KubeCluster
from tests.kube.inside import (
    ASK_API,
    LOOK,
    REACH,
    LiveRun,
    agent,
    have_the_model_take_its_time,
    run,
    start,
    status_of,
    wait_until,
)
from tests.kube.release import SYSTEM_NAMESPACE, Release, make_tenant

pytestmark = pytest.mark.timeout(240)

OURS, THEIRS = "attacked", "elsewhere"
API_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
BUS_TOKEN = "/var/run/secrets/sympozium/bus/token"
READER = "skill-cluster-reader"


@pytest.fixture(scope="module")
def tenants(release: Release, kube_clients: Clients, model_port: int) -> Iterator[Clients]:
    """Two tenants with Agents of the same names."""
    for namespace in (OURS, THEIRS):  # of an earlier session they may be going still
        kube_clients.kubectl("delete", "namespace", namespace, "--ignore-not-found")
        make_tenant(kube_clients, namespace)
        for name, skills in (("plain", ()), ("reader", ("cluster-reader",))):
            kube_clients.apply(agent(namespace, name, model_port, skills=skills))
    yield kube_clients
    for namespace in (OURS, THEIRS):
        kube_clients.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(autouse=True)
def slow_model(model_port: int) -> None:
    """Keep runs at work."""
    have_the_model_take_its_time(model_port)


def started(clients: Clients, namespace: str, name: str, agent_name: str) -> Iterator[LiveRun]:
    live = start(clients, namespace, name, agent_name)
    yield live
    live.end()


@pytest.fixture(scope="module")
def _slow_model_first(model_port: int) -> None:
    have_the_model_take_its_time(model_port)


@pytest.fixture(scope="module")
def plain(tenants: Clients, _slow_model_first: None) -> Iterator[LiveRun]:
    """A run without a skill."""
    yield from started(tenants, OURS, "plain-1", "plain")


@pytest.fixture(scope="module")
def reader(tenants: Clients, _slow_model_first: None) -> Iterator[LiveRun]:
    """A run beside it that reads its namespace."""
    yield from started(tenants, OURS, "reader-1", "reader")


@pytest.fixture(scope="module")
def foreign(tenants: Clients, _slow_model_first: None) -> Iterator[LiveRun]:
    """A run of the other tenant."""
    yield from started(tenants, THEIRS, "plain-1", "plain")


@pytest.fixture(scope="module")
def bus(plain: LiveRun) -> tuple[str, str]:
    """Where the bus is, as the bridge is told."""
    code = "import os; print(os.environ['SYMPOZIUM_NATS_URL'])"
    url = urllib.parse.urlsplit(plain.raw("ipc-bridge", code).strip())
    return str(url.hostname), str(url.port)


def test_1_the_agent_reaches_the_bus_and_is_not_heard_without_a_token(
    plain: LiveRun, bus: tuple[str, str]
) -> None:
    answer = plain.on_bus("agent", bus, "", "PUB inbox.attacked.web 1\r\nx\r\n")
    assert answer["is_reached"]
    assert any("Authorization Violation" in line for line in answer["said"]), answer
    assert "PONG" not in answer["said"]


@pytest.mark.parametrize("token", ["x", "eyJhbGciOiJub25lIn0.e30."])
def test_1_a_token_that_nobody_gave_is_not_heard_either(
    plain: LiveRun, bus: tuple[str, str], token: str
) -> None:
    answer = plain.on_bus("agent", bus, token)
    assert "PONG" not in answer["said"]


def violations(live: LiveRun, bus: tuple[str, str], *commands: str) -> list[str]:
    """Return what the bus refuses the bearer of a bridge's stolen token, in the agent container."""
    answer = live.on_bus("agent", bus, live.bus_token(), *commands)
    assert answer["said"].count("PONG") == 2, answer
    return [line for line in answer["said"] if line.startswith("-ERR")]


def published(subject: str) -> str:
    return f"PUB {subject} 1\r\nx\r\n"


def test_2_a_stolen_token_does_not_publish_in_anothers_name(
    system: System,
    plain: LiveRun,
    reader: LiveRun,
    foreign: LiveRun,
    bus: tuple[str, str],
) -> None:
    subjects = [
        "outbox.attacked.web",
        "outbox.elsewhere.web",
        "inbox.elsewhere.web",
        "inbox.attacked.web",
        f"live.attacked.{reader.uid}",
        f"runs.elsewhere.{foreign.uid}.out",
        f"runs.attacked.{plain.uid}.in",
        "dead.INBOX.attacked.web",
        "context.elsewhere.x",
        "history.attacked.web",
    ]
    refused = violations(plain, bus, *map(published, subjects))
    for subject in subjects:
        assert any(f'Publish to "{subject}"' in line for line in refused), (subject, refused)
    doctor = system.sympozium("doctor", timeout_s=120.0)
    (told,) = (one for one in doctor.stdout.splitlines() if f"run {OURS}/{plain.uid}" in one)
    assert "note refused" in told, "whoever looks at the system sees it"


def test_3_a_stolen_token_does_not_listen_to_others(plain: LiveRun, bus: tuple[str, str]) -> None:
    subjects = [">", "*", "_INBOX.>", "runs.>", "live.>", "inbox.>", "outbox.>", "$SYS.>"]
    commands = [f"SUB {subject} {index}\r\n" for index, subject in enumerate(subjects, 1)]
    refused = violations(plain, bus, *commands)
    for subject in subjects:
        assert any(f'Subscription to "{subject}"' in line for line in refused), (subject, refused)


def test_4_a_stolen_token_does_not_touch_streams(plain: LiveRun, bus: tuple[str, str]) -> None:
    subjects = [
        "$JS.API.STREAM.PURGE.INBOX",
        "$JS.API.STREAM.DELETE.RUNS",
        "$JS.API.STREAM.MSG.GET.RUNS",
        "$JS.API.DIRECT.GET.RUNS",
        "$JS.API.CONSUMER.CREATE.RUNS",
        "$JS.API.INFO",
    ]
    refused = violations(plain, bus, *map(published, subjects))
    for subject in subjects:
        assert any(f'Publish to "{subject}"' in line for line in refused), (subject, refused)


def test_5_a_token_is_worth_nothing_once_its_run_has_ended(
    tenants: Clients, plain: LiveRun, bus: tuple[str, str]
) -> None:
    ended = start(tenants, OURS, "ended-1", "plain")
    token = ended.bus_token()
    assert "PONG" in plain.on_bus("agent", bus, token)["said"]
    ended.end()

    def is_refused() -> bool:
        return "PONG" not in plain.on_bus("agent", bus, token)["said"]

    wait_until(is_refused, timeout_s=20)


def test_6_a_result_for_another_run_is_not_taken(
    plain: LiveRun, reader: LiveRun, bus: tuple[str, str]
) -> None:
    result = json.dumps({"type": "result", "text": "forged"})
    subject = f"runs.attacked.{reader.uid}.out"
    forged = f"PUB {subject} {len(result)}\r\n{result}\r\n"
    refused = violations(plain, bus, forged)
    assert any(f'Publish to "{subject}"' in line for line in refused), refused
    assert "result" not in reader.status()
    assert reader.status().get("phase", "Pending") in {"Pending", "Running"}


def test_7_what_one_run_may_another_may_not(
    tenants: Clients, plain: LiveRun, reader: LiveRun
) -> None:
    def may(account: str, *what: str) -> bool:
        user = f"--as=system:serviceaccount:{OURS}:{account}"
        return tenants.run_kubectl("-n", OURS, "auth", "can-i", *what, user).returncode == 0

    assert may("sympozium-run-cluster-reader", "list", "pods")
    for what in (("list", "pods"), ("get", "secrets"), ("list", "agentruns"), ("get", "pods/log")):
        assert not may("sympozium-run", *what), what
    for what in (("get", "secrets"), ("create", "pods"), ("create", "pods/exec"), ("*", "*")):
        assert not may("sympozium-run-cluster-reader", *what), what
    foreign = ("-n", THEIRS, "auth", "can-i", "list", "pods")
    account = f"--as=system:serviceaccount:{OURS}:sympozium-run-cluster-reader"
    assert tenants.run_kubectl(*foreign, account).returncode != 0


def test_7_the_token_for_the_bus_is_none_for_the_api_server(
    plain: LiveRun, tenants: Clients, tmp_path: Path
) -> None:
    cluster = tenants.kubectl(
        "config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0]}"
    )
    user = {"name": "stolen", "user": {"token": plain.bus_token()}}
    context = {"cluster": json.loads(cluster)["name"], "user": "stolen"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [json.loads(cluster)],
        "users": [user],
        "contexts": [{"name": "stolen", "context": context}],
        "current-context": "stolen",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    asked = tenants.run_kubectl("--kubeconfig", str(file), "-n", OURS, "get", "pods")
    assert asked.returncode != 0
    assert "Unauthorized" in asked.stderr or "must be logged in" in asked.stderr, asked.stderr


@pytest.mark.parametrize("name", ["plain", "reader"])
def test_8_the_agent_container_holds_no_token_and_no_key(
    request: pytest.FixtureRequest, name: str
) -> None:
    live: LiveRun = request.getfixturevalue(name)
    paths = (API_TOKEN, f"{API_TOKEN}/token", BUS_TOKEN, "/var/run/secrets/sympozium/model")
    found = live.python("agent", LOOK, *paths, "/proc/1/root/var/run/secrets/sympozium")
    assert found["readable"] == []
    text = json.dumps(found["environ"])
    for secret in ("NATS", "OPENAI", "TOKEN", "KEY"):
        assert secret not in text.upper().replace("KUBERNETES_", ""), text
    processes = live.python(
        "agent",
        "import json, os; print(json.dumps([pid for pid in os.listdir('/proc') if pid.isdigit()]))",
    )
    assert len(processes) <= 3, "the agent, this look, and nobody of another container"


def test_9_a_skill_gets_no_rights_by_asking_for_them(reader: LiveRun) -> None:
    group = "/apis/rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    role = {"metadata": {"name": "mine"}, "rules": [rule]}
    subject = {"kind": "ServiceAccount", "name": "sympozium-run", "namespace": OURS}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    binding: Object = {"metadata": {"name": "mine"}, "subjects": [subject]}
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x", "image": "x:1"}]}}
    attempts = [
        ("POST", f"{group}/namespaces/{OURS}/roles", role),
        ("POST", f"{group}/clusterroles", role),
        (
            "POST",
            f"{group}/namespaces/{OURS}/rolebindings",
            binding | {"roleRef": {**reference, "name": "cluster-admin"}},
        ),
        (
            "POST",
            f"{group}/clusterrolebindings",
            binding | {"roleRef": {**reference, "name": "sympozium-tenant-controller"}},
        ),
        ("POST", f"/api/v1/namespaces/{OURS}/pods", pod),
        ("GET", f"/api/v1/namespaces/{OURS}/secrets", None),
        ("GET", f"/api/v1/namespaces/{THEIRS}/pods", None),
        ("GET", "/api/v1/nodes", None),
        ("GET", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/sympozium-bus", None),
        ("POST", f"/api/v1/namespaces/{OURS}/serviceaccounts/sympozium-run/token", {}),
    ]
    files = (f"{API_TOKEN}/token", f"{API_TOKEN}/ca.crt")
    seen = reader.python(READER, ASK_API, "GET", f"/api/v1/namespaces/{OURS}/pods", *files, "")
    assert seen["code"] == 200, "its own right holds"
    for method, path, body in attempts:
        text = "" if body is None else json.dumps(body)
        answer = reader.python(READER, ASK_API, method, path, *files, text)
        assert answer["code"] == 403, (path, answer)


def test_10_a_run_leaves_no_rights_behind_whatever_dies(
    tenants: Clients, kube_cluster: KubeCluster
) -> None:
    kinds = "roles,rolebindings,serviceaccounts,networkpolicies,secrets,configmaps"

    def there() -> set[str]:
        return set(tenants.kubectl("-n", OURS, "get", kinds, "-o", "name").split())

    before = there()
    live = start(tenants, OURS, "left-1", "reader")
    assert there() == before, "nothing is made for a run but its Job"
    tenants.kubectl("-n", OURS, "delete", "agentrun", live.name, "--wait=false")
    controllers = (
        "-n",
        SYSTEM_NAMESPACE,
        "delete",
        "pod",
        "-l",
        "sympozium.ai/component=controller",
    )
    tenants.kubectl(*controllers, "--force", "--grace-period=0")

    def is_gone() -> bool:
        selected = ("-l", f"sympozium.ai/run={live.name}", "-o", "name")
        return not tenants.kubectl("-n", OURS, "get", "jobs,pods", *selected).strip()

    wait_until(is_gone)
    assert there() == before
    tenants.kubectl(
        "-n", SYSTEM_NAMESPACE, "rollout", "status", "deployment/sympozium-controller",
        "--timeout=120s",
    )  # fmt: skip


def refusal_of(clients: Clients, text: str, *arguments: str) -> str:
    """Apply *text*, which must be refused; return the reason."""
    done = clients.run_kubectl("create", "-f", "-", *arguments, text=text)
    assert done.returncode != 0, done.stdout
    return done.stderr


def restricted_container() -> Object:
    """Return a container that Pod Security has nothing against."""
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"name": "x", "image": "x:1", "securityContext": security}


@pytest.mark.parametrize("key", ["run", "component", "agent", "channel"])
def test_11_nobody_makes_what_passes_for_a_run(tenants: Clients, plain: LiveRun, key: str) -> None:
    value = {"run": plain.name, "component": "run"}.get(key, "web")
    container = restricted_container()
    metadata = {"name": "mine", "namespace": OURS, "labels": {f"sympozium.ai/{key}": value}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
    said = refusal_of(tenants, json.dumps({**pod, "spec": {"containers": [container]}}))
    assert "belong to what the controller makes" in said or "of a run or a channel" in said
    spec = {"containers": [container], "restartPolicy": "Never"}
    template = {"metadata": {"labels": metadata["labels"]}, "spec": spec}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "mine", "namespace": OURS},
        "spec": {"template": template},
    }
    assert "belong to what the controller makes" in refusal_of(tenants, json.dumps(job))


def test_11_nobody_gets_the_token_of_a_run(tenants: Clients, plain: LiveRun) -> None:
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={plain.pod}", "--audience=nats")
    done = tenants.run_kubectl("-n", OURS, "create", "token", "sympozium-run", *bound)
    assert done.returncode != 0
    assert "given to its pods by their kubelet" in done.stderr
    account = {"serviceAccountName": "sympozium-run", "containers": [restricted_container()]}
    metadata = {"name": "mine", "namespace": OURS}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": account}
    assert "belong to what the controller makes" in refusal_of(tenants, json.dumps(pod))


def test_12_a_run_names_no_agent_of_another_namespace(tenants: Clients) -> None:
    tenants.apply(agent(THEIRS, "only-theirs", 1))
    for name in ("only-theirs", f"{THEIRS}/only-theirs", f"../../{THEIRS}/agents/only-theirs"):
        said = refusal_of(tenants, run(OURS, "twelve", name))
        assert "there is no Agent" in said, said


def test_24_a_run_reaches_the_bus_and_its_model_and_nothing_else(
    tenants: Clients, plain: LiveRun, foreign: LiveRun, bus: tuple[str, str], model_port: int
) -> None:
    def pods(namespace: str) -> list[tuple[str, list[int]]]:
        return [
            (pod["status"]["podIP"], [
                port["containerPort"]
                for container in pod["spec"]["containers"]
                for port in container.get("ports") or ()
            ])
            for pod in tenants.get("-n", namespace, "pods")["items"]
            if pod["status"].get("podIP")
        ]  # fmt: skip

    of_bus = tenants.get("-n", SYSTEM_NAMESPACE, "pods", "-l", "sympozium.ai/component=nats")
    bus_addresses = {pod["status"]["podIP"] for pod in of_bus["items"]}
    targets = {
        f"{address}:{port}"
        for namespace in (SYSTEM_NAMESPACE, "kube-system", "default", THEIRS)
        for address, ports in pods(namespace)
        for port in {*ports, 8001, 8222}
        if not (address in bus_addresses and port == 4222)
        and not (namespace == "kube-system" and port == 53)
    }
    api = tenants.get("-n", "default", "service", "kubernetes")["spec"]["clusterIP"]
    store = tenants.get("-n", SYSTEM_NAMESPACE, "service", "sympozium-postgresql")
    targets |= {
        f"{api}:443",
        f"{NODE_ADDRESS}:6443",
        f"{NODE_ADDRESS}:22",  # its ports from 10000 on are opened for the servers of tests
        f"{NODE_ADDRESS}:2379",
        f"{NODE_ADDRESS}:9100",
        f"{store['spec']['clusterIP']}:5432",
        "169.254.169.254:80",
        "192.0.2.1:443",
        "8.8.8.8:53",
    }
    assert len(targets) > 10
    for container in ("agent", "ipc-bridge"):
        assert plain.python(container, REACH, *sorted(targets)) == []
        allowed = [":".join(bus), f"{NODE_ADDRESS}:{model_port}"]
        assert plain.python(container, REACH, *allowed) == allowed


def test_24_no_name_leaves_a_run_not_even_to_the_clusters_resolver(
    tenants: Clients, plain: LiveRun
) -> None:
    code = """
import json, socket, sys
query = bytes.fromhex("123401000001000000000000") + b"\\x06secret\\x04evil\\x07example\\x00"
query += bytes.fromhex("00100001")
answered = []
for address in sys.argv[1:]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        try:
            udp.sendto(query, (address, 53))
            udp.recv(512)
            answered.append(address)
        except OSError:
            pass
print(json.dumps(answered))
"""
    resolver = tenants.get("-n", "kube-system", "service", "kube-dns")
    pods = tenants.get("-n", "kube-system", "pods", "-l", "k8s-app=kube-dns")["items"]
    inside = [resolver["spec"]["clusterIP"], *(pod["status"]["podIP"] for pod in pods)]
    assert len(inside) > 1
    for container in ("agent", "ipc-bridge"):
        outside = ["8.8.8.8", "192.0.2.1", NODE_ADDRESS]
        assert plain.python(container, code, *inside, *outside) == []
        known = "import json, socket; print(json.dumps(socket.gethostbyname('{}')))"
        with pytest.raises(ClusterError, match=r"gaierror|Temporary failure|not known"):
            plain.python(container, known.format("kubernetes.default.svc.cluster.local"))


def test_31_memory_taken_without_end_ends_what_took_it_and_nobody_else(
    plain: LiveRun, foreign: LiveRun
) -> None:
    with pytest.raises(ClusterError, match="137"):
        plain.raw(
            "agent", "balloon = bytearray(); [balloon.extend(bytes(1 << 20)) for _ in range(4096)]"
        )
    assert foreign.python("agent", "print(1)") == 1
    assert foreign.status().get("phase", "Pending") in {"Pending", "Running"}


def test_32_pod_security_denies_what_the_policies_deny(tenants: Clients) -> None:
    for spec in (
        {"hostNetwork": True},
        {"hostPID": True},
        {"volumes": [{"name": "node", "hostPath": {"path": "/"}}]},
    ):
        container = {"name": "x", "image": "x:1", "securityContext": {"privileged": True}}
        metadata = {"name": "mine", "namespace": OURS}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        said = refusal_of(tenants, json.dumps({**pod, "spec": {"containers": [container], **spec}}))
        assert "violates PodSecurity" in said


@contextmanager
def without_controllers(clients: Clients) -> Iterator[None]:
    """Have no controller, and so nobody who serves the webhook, while the block lasts."""
    deployment = ("-n", SYSTEM_NAMESPACE, "deployment/sympozium-controller")
    found = clients.get("-n", SYSTEM_NAMESPACE, "deployment", "sympozium-controller")
    clients.kubectl("scale", *deployment, "--replicas=0")
    try:
        selected = ("pod", "-l", "sympozium.ai/component=controller", "--timeout=60s")
        clients.kubectl("-n", SYSTEM_NAMESPACE, "wait", "--for=delete", *selected)
        yield
    finally:
        clients.kubectl("scale", *deployment, f"--replicas={found['spec']['replicas']}")
        clients.kubectl("rollout", "status", *deployment, "--timeout=120s")


def test_34_without_the_webhook_no_run_is_admitted_and_none_is_lost(
    tenants: Clients, plain: LiveRun
) -> None:
    with without_controllers(tenants):
        said = refusal_of(tenants, run(OURS, "thirtyfour", "plain"))
        assert 'failed calling webhook "runs.sympozium.ai"' in said
        cancel = ("--type=merge", "-p", '{"spec": {"cleanup": "keep"}}')
        tenants.kubectl("-n", OURS, "patch", "agentrun", plain.name, *cancel)  # all else goes on

    def is_admitted() -> bool:
        done = tenants.run_kubectl("apply", "-f", "-", text=run(OURS, "thirtyfour", "plain"))
        return done.returncode == 0

    wait_until(is_admitted)
    wait_until(lambda: bool(status_of(tenants, OURS, "thirtyfour")))


async def test_34_a_message_waits_for_the_webhook_and_is_answered_once(
    tenants: Clients, person: Person, model: ScriptedModel
) -> None:
    with without_controllers(tenants):
        message_id = await person.say("thirty-four", "hello")
    end = await person.end_of("thirty-four", message_id)
    assert end["state"] == "done", end
    assert len(replies_to(await person.transcript("thirty-four"), message_id)) == 1
