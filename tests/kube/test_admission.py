"""Our policies and our webhook on a real API server: the same cases as on the embedded one."""

import json
import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

from sympozium.contract.resources import AGENT_RUNS, Object
from tests.admission import objects
from tests.admission.calling import ACCOUNTS, KUBELET, PERSON, Caller, connected, token_path
from tests.admission.rules import CREATIONS, RUN_UPDATES, SPACE
from tests.kube.cluster import Clients
from tests.kube.inside import agent, wait_until
from tests.kube.release import SYSTEM_NAMESPACE, Release
from tests.kube.system import RealSystem

pytestmark = pytest.mark.timeout(180)

OURS = "admitted"
WEBHOOK = "sympozium-webhook"


def here(obj: Object) -> Object:
    """Return *obj* in the namespace of this module."""
    text = json.dumps(obj).replace(f'"namespace": "{SPACE}"', f'"namespace": "{OURS}"')
    moved: Object = json.loads(text)
    return moved


@pytest.fixture(scope="module")
def tenant(release: Release, kube_clients: Clients) -> Iterator[str]:
    """A tenant of this module, without Pod Security: here it is our policies that deny."""
    kube_clients.kubectl("delete", "namespace", OURS, "--ignore-not-found")
    kube_clients.kubectl("create", "namespace", OURS)
    kube_clients.kubectl("label", "namespace", OURS, "sympozium.ai/tenant=true")
    for account in ACCOUNTS:
        kube_clients.run_kubectl("-n", OURS, "create", "serviceaccount", account)
    kube_clients.apply(agent(OURS, "helper", 1))
    yield OURS
    kube_clients.kubectl("delete", "namespace", OURS, "--wait=false")


@pytest.fixture
async def server(tenant: str, real_system: RealSystem) -> AsyncIterator[Caller]:
    endpoint = real_system.endpoint()
    context = ssl.create_default_context(cafile=str(endpoint.ca_file))
    async with connected(endpoint.url, context, endpoint.headers()) as caller:
        yield caller


async def test_what_is_created_is_allowed_or_refused_as_on_the_embedded_server(
    server: Caller,
) -> None:
    for given in CREATIONS:
        caller = server.acting_as(given.user)
        answer = await caller.create(given.resource, _allowed(here(given.obj)), dry_run=True)
        if given.refused:
            assert answer.code in {403, 422}, (given.claim, answer)
            assert given.refused in answer.message, given.claim
        else:
            assert answer.code == 201, (given.claim, answer)


def _allowed(obj: Object) -> Object:
    """Return a run as one that its Agent here allows, so that it is judged by the policies."""
    if obj.get("kind") == AGENT_RUNS.kind:
        obj["spec"] = {key: obj["spec"][key] for key in obj["spec"] if key != "model"}
    return obj


async def test_what_a_run_is_to_do_stays_as_it_was_created(server: Caller) -> None:
    for index, (claim, user, change, refused) in enumerate(RUN_UPDATES):
        run = _allowed(objects.run(OURS, f"a-{index}"))
        run["spec"]["timeout"] = "5m"
        made = await server.acting_as(PERSON).create(AGENT_RUNS, run)
        assert made.code == 201, made
        name = run["metadata"]["name"]
        answer = await server.acting_as(user).merge(AGENT_RUNS, OURS, name, {"spec": change})
        assert refused in answer.message, claim
        assert (answer.code == 200) is (not refused), (claim, answer)


async def test_tokens_of_our_accounts_are_given_to_kubelets_only(server: Caller) -> None:
    body: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    for namespace, account in (
        (OURS, "sympozium-run"),
        (OURS, "channel-web"),
        (SYSTEM_NAMESPACE, "sympozium-router"),
        (SYSTEM_NAMESPACE, "sympozium-controller"),
    ):
        path = token_path(namespace, account)
        refused = await server.acting_as(PERSON).call("POST", path, body)
        assert (refused.code, "by their kubelet" in refused.message) == (403, True), refused
        asked = await server.acting_as(KUBELET).call("POST", path, body)
        assert "by their kubelet" not in asked.message  # it must only say for which pod


async def test_a_status_is_nobodys_but_the_controllers(server: Caller) -> None:
    made = await server.create(AGENT_RUNS, _allowed(objects.run(OURS, "forged")))
    path = f"/apis/sympozium.ai/v1alpha1/namespaces/{OURS}/agentruns/forged/status"
    status = {**made.body, "status": {"phase": "Succeeded", "result": "forged"}}
    answer = await server.call("PUT", path, status)
    assert answer.code == 403
    assert "written by the controller" in answer.message


@pytest.mark.parametrize("spoilt", ["secret", "bundle"])
def test_a_broken_certificate_heals_itself(tenant: str, kube_clients: Clients, spoilt: str) -> None:
    if spoilt == "secret":
        patch = ("--type=merge", "-p", '{"data": {"tls.crt": "eA==", "ca.crt": "eA=="}}')
        kube_clients.kubectl("-n", SYSTEM_NAMESPACE, "patch", "secret", WEBHOOK, *patch)
    else:
        operation = {"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}
        configuration = ("patch", "validatingwebhookconfiguration", WEBHOOK)
        kube_clients.kubectl(*configuration, "--type=json", "-p", json.dumps([operation]))
    run = json.dumps(_allowed(objects.run(OURS, f"healed-{spoilt}")))

    def is_admitted() -> bool:
        return kube_clients.run_kubectl("apply", "-f", "-", text=run).returncode == 0

    wait_until(is_admitted, timeout_s=20)
    names = json.dumps({"metadata": {"name": "x", "namespace": OURS}, "kind": "AgentRun"})
    beyond = json.loads(names) | {
        "apiVersion": "sympozium.ai/v1alpha1",
        "spec": {"agentRef": "nobody", "task": "x"},
    }
    done = kube_clients.run_kubectl("create", "-f", "-", text=json.dumps(beyond))
    assert 'admission webhook "runs.sympozium.ai" denied the request' in done.stderr
