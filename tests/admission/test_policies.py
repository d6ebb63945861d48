"""What our policies let pass and what they refuse, on the embedded API server."""

import pytest

from sympozium.contract.resources import AGENT_RUNS, NAMESPACES, PODS, Object
from tests.admission import objects
from tests.admission.calling import (
    CONTROLLER,
    JOB_CONTROLLER,
    KUBELET,
    PERSON,
    ROUTER,
    Caller,
    token_path,
)
from tests.admission.rules import CREATIONS, RUN_UPDATES, SPACE, Creation

TOKEN_REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}


@pytest.mark.parametrize("given", CREATIONS, ids=[one.claim for one in CREATIONS])
async def test_a_create_is_allowed_or_refused_in_words_that_name_the_rule(
    server: Caller, given: Creation
) -> None:
    answer = await server.acting_as(given.user).create(given.resource, given.obj, dry_run=True)
    if given.refused:
        assert answer.code in {403, 422}, answer
        assert given.refused in answer.message
    else:
        assert answer.code == 201, answer


@pytest.mark.parametrize(
    ("user", "change", "refused"),
    [given[1:] for given in RUN_UPDATES],
    ids=[given[0] for given in RUN_UPDATES],
)
async def test_what_a_run_is_to_do_stays_as_it_was_created(
    server: Caller, user: str, change: Object, refused: str
) -> None:
    run = objects.run(SPACE, "a")
    assert (await server.acting_as(PERSON).create(AGENT_RUNS, run)).code == 201
    answer = await server.acting_as(user).merge(AGENT_RUNS, SPACE, "a", {"spec": change})
    assert refused in answer.message
    assert (answer.code == 200) is (not refused), answer


async def test_a_cancelled_run_stays_cancelled(server: Caller) -> None:
    await server.create(AGENT_RUNS, objects.run(SPACE, "a"))
    await server.merge(AGENT_RUNS, SPACE, "a", {"spec": {"cancel": True}})
    answer = await server.merge(AGENT_RUNS, SPACE, "a", {"spec": {"cancel": False}})
    assert "is cancelled stays so" in answer.message


@pytest.mark.parametrize(
    ("user", "code"), [(CONTROLLER, 200), (ROUTER, 403), (PERSON, 403), ("kubernetes-admin", 403)]
)
async def test_the_status_of_a_run_is_the_controllers(server: Caller, user: str, code: int) -> None:
    made = await server.create(AGENT_RUNS, objects.run(SPACE, "a"))
    path = f"/apis/sympozium.ai/v1alpha1/namespaces/{SPACE}/agentruns/a/status"
    status = {**made.body, "status": {"phase": "Succeeded", "result": "forged"}}
    assert (await server.acting_as(user).call("PUT", path, status)).code == code


async def test_nobody_changes_what_runs_in_a_runs_pod_or_what_it_passes_for(
    server: Caller,
) -> None:
    cluster, person = server.acting_as(JOB_CONTROLLER), server.acting_as(PERSON)
    assert (await cluster.create(PODS, objects.pod(SPACE, "r"))).code == 201
    unlabelled = {"metadata": {"labels": {"sympozium.ai/component": None}}}
    answer = await person.merge(PODS, SPACE, "r", unlabelled)
    assert "changed by the controller only" in answer.message
    operation = [{"op": "replace", "path": "/spec/containers/0/image", "value": "theirs:1"}]
    path = f"/api/v1/namespaces/{SPACE}/pods/r"
    kind = "application/json-patch+json"
    answer = await person.call("PATCH", path, operation, kind=kind)  # type: ignore[arg-type]
    assert "what runs in the pods of a run" in answer.message
    mine = {"metadata": {"labels": {"note": "x"}}}
    assert (await person.merge(PODS, SPACE, "r", mine)).code == 200


async def test_a_pod_of_ones_own_does_not_become_a_runs(server: Caller) -> None:
    person = server.acting_as(PERSON)
    spec = {"containers": [{"name": "main", "image": "x:1"}]}
    plain = {"metadata": {"name": "p", "namespace": SPACE}, "spec": spec}
    assert (await person.create(PODS, plain)).code == 201
    label = {"metadata": {"labels": {"sympozium.ai/component": "run"}}}
    answer = await person.merge(PODS, SPACE, "p", label)
    assert "changed by the controller only" in answer.message


@pytest.mark.parametrize(
    ("namespace", "account"),
    [
        (SPACE, "sympozium-run"),
        (SPACE, "sympozium-run-cluster-reader"),
        (SPACE, "channel-web"),
        ("sympozium-system", "sympozium-router"),
        ("sympozium-system", "sympozium-controller"),
    ],
)
async def test_tokens_of_our_accounts_are_given_to_kubelets_only(
    server: Caller, namespace: str, account: str
) -> None:
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    made = await server.call("POST", accounts, {"metadata": {"name": account}})
    assert made.code in {201, 409}, made
    path = token_path(namespace, account)
    refused = await server.acting_as(PERSON).call("POST", path, TOKEN_REQUEST)
    assert (refused.code, "by their kubelet" in refused.message) == (403, True), refused
    assert (await server.acting_as(KUBELET).call("POST", path, TOKEN_REQUEST)).code == 201


async def test_tokens_of_other_accounts_are_given_as_ever(server: Caller) -> None:
    path = token_path(SPACE, "default")
    assert (await server.acting_as(PERSON).call("POST", path, TOKEN_REQUEST)).code == 201


async def test_what_is_no_tenants_is_nobodys_business_here(server: Caller) -> None:
    await server.create(NAMESPACES, {"metadata": {"name": "elsewhere"}})
    pod = {
        "metadata": {"name": "r", "namespace": "elsewhere", "labels": {"sympozium.ai/run": "r"}},
        "spec": {"containers": [{"name": "main", "image": "x:1"}]},
    }
    assert (await server.acting_as(PERSON).create(PODS, pod)).code == 201
