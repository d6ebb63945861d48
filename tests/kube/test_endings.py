"""What real Kubernetes does to a run's pod, and what the person in the chat reads of it.

The reasons and texts are those of a real kubelet, scheduler and API server. What one machine
can show as well is in tests/scenario/test_endings.py, which runs here too.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import NETWORK_POLICIES, RUN_LABEL, SERVICE_ACCOUNTS, Object
from sympozium.contract.times import parse_kube_time
from tests.kube.at_work import ACTS, Floor, created, has_ended, in_text, told, uid_of
from tests.kube.release import TENANT

pytestmark = pytest.mark.timeout(300)

API = f"/api/v1/namespaces/{TENANT}"
READER = ("cluster-reader",)


@pytest.fixture
async def floor(floor: Floor) -> AsyncIterator[Floor]:
    """The release with Agents for what follows."""
    async with floor.agents(
        floor.agent("steady", timeout="3m"),
        floor.agent("acting", skills=READER, timeout="5m"),
        floor.agent("giant", timeout="25s", resources={"requests": {"cpu": "640"}}),
        floor.agent("greedy", resources={"limits": {"memory": "1Gi"}}),
        floor.agent(
            "hungry", resources={"requests": {"memory": "48Mi"}, "limits": {"memory": "72Mi"}}
        ),
        floor.agent("tiny", resources={"requests": {"memory": "4Mi"}, "limits": {"memory": "4Mi"}}),
    ):
        yield floor


# What is taken away.


async def test_a_run_that_was_evicted_before_it_did_anything_answers_from_another_pod(
    floor: Floor,
) -> None:
    message_id, run = await floor.say("steady", "slowly please")
    first = await floor.pod_at_work(run)
    await floor.evict(first)
    second = await floor.next_pod(run, first)
    entry = await floor.end_of("steady", message_id)
    assert entry["error"] is None
    assert entry["text"].split() == ["word"] * 12
    assert uid_of(second) != uid_of(first)


async def test_a_run_that_was_evicted_after_it_had_called_a_tool_ends_and_says_so(
    floor: Floor,
) -> None:
    message_id, run = await floor.say("acting", "act")
    pod = await floor.pod_at_work(run)
    await floor.has_acted()
    await floor.evict(pod)
    code, sentence = told(await floor.end_of("acting", message_id))
    assert (code, "took away the machine" in sentence) == (Reason.EVICTED, True)
    await floor.gone_with_its_pods(run)


async def test_a_run_that_makes_room_for_what_matters_more_answers_when_there_is_room_again(
    floor: Floor,
) -> None:
    more_important: Object = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "matters-more"},
        "value": 1000,
    }
    async with floor.agents(floor.agent("wide", timeout="3m", resources=await floor.most_of_it())):
        message_id, run = await floor.say("wide", "slowly please")
        first = await floor.pod_at_work(run)
        floor.clients.apply(in_text(more_important))
        floor.clients.apply(in_text(await floor.rival(priority="matters-more")))
        try:
            second = await floor.next_pod(run, first)
        finally:
            floor.clients.kubectl("-n", TENANT, "delete", "pod", "rival", "--grace-period=1")
            floor.clients.kubectl("delete", "priorityclass", "matters-more")
        entry = await floor.end_of("wide", message_id)
    assert entry["error"] is None, entry["error"]
    assert uid_of(second) != uid_of(first)


async def test_a_run_on_a_node_that_is_drained_answers_when_the_node_is_back(floor: Floor) -> None:
    message_id, run = await floor.say("steady", "slowly please")
    first = await floor.pod_at_work(run)
    (node,) = floor.clients.get("nodes")["items"]
    name = node["metadata"]["name"]
    try:
        floor.clients.kubectl(
            *("drain", name, f"--pod-selector={RUN_LABEL}={run['metadata']['name']}", "--force"),
            *("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s"),
        )
        await floor.next_pod(run, first)
    finally:
        floor.clients.kubectl("uncordon", name)
    assert (await floor.end_of("steady", message_id))["error"] is None


async def test_a_run_whose_node_is_lost_is_told_within_two_minutes(floor: Floor) -> None:
    # The pod's containers live on without their kubelet, so the run has to outlast the test.
    once = {**ACTS, "repeat_tool": False, "times": 1}
    await floor.model.script(once, {"match": "act", "answer": "word " * 250, "delay_s": 1})
    message_id, run = await floor.say("acting", "act")
    await floor.pod_at_work(run)
    await floor.has_acted()
    async with floor.nothing_heard_of_the_node():
        ended = await floor.until(run, has_ended, 140)
    assert ended["status"]["error"]["reason"] == Reason.EVICTED
    code, sentence = told(await floor.end_of("acting", message_id))
    assert (code, "took away the machine" in sentence) == (Reason.EVICTED, True)


async def test_a_pod_that_somebody_deletes_is_told_at_once(floor: Floor) -> None:
    message_id, run = await floor.say("steady", "slowly please")
    pod = await floor.pod_at_work(run)
    floor.clients.kubectl("-n", TENANT, "delete", "pod", pod["metadata"]["name"])
    code, _ = told(await floor.end_of("steady", message_id))
    assert code == Reason.AGENT_CRASHED


# What there is no room for.


async def test_a_run_without_room_says_that_it_waits_and_ends_at_its_deadline(
    floor: Floor,
) -> None:
    message_id, run = await floor.say("giant", "hello")
    waits = await floor.until(run, lambda now: now.get("status", {}).get("phase") == "Queued", 15)
    (condition,) = waits["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Queued", "Capacity")
    code, sentence = told(await floor.end_of("giant", message_id))
    assert (code, "had no room" in sentence) == (Reason.NO_CAPACITY, True)
    ended = await floor.until(run, has_ended, 5)
    took = parse_kube_time(ended["status"]["finishedAt"]) - created(ended)
    assert took.total_seconds() <= 25 + 15


async def test_a_quota_that_never_fits_is_named(floor: Floor) -> None:
    quota: Object = {"metadata": {"name": "no-jobs"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    async with floor.object(f"{API}/resourcequotas", quota):
        await floor.counted("no-jobs")
        code, sentence = told(await floor.ask("steady", "hello"))
    assert (code, "quota no-jobs" in sentence) == (Reason.QUOTA, True)


# What its containers need.


async def test_memory_that_grows_without_end_is_told_as_that(floor: Floor) -> None:
    flood = {"match": "flood", "answer": "x" * 30_000_000}
    await floor.model.script(flood)
    code, sentence = told(await floor.ask("hungry", "flood"))
    assert (code, "ran out of memory" in sentence) == (Reason.OUT_OF_MEMORY, True)


async def test_an_agent_that_cannot_even_be_started_is_told_as_that(floor: Floor) -> None:
    code, _ = told(await floor.ask("tiny", "hello"))
    assert code in {Reason.NOT_STARTED, Reason.OUT_OF_MEMORY}


async def test_containers_are_made_to_fit_the_limits_of_their_namespace(floor: Floor) -> None:
    limits: Object = {
        "metadata": {"name": "narrow"},
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "max": {"memory": "300Mi", "cpu": "500m"},
                    "min": {"cpu": "20m"},
                    "maxLimitRequestRatio": {"cpu": "10"},
                }
            ]
        },
    }
    async with floor.object(f"{API}/limitranges", limits):
        await asyncio.to_thread(floor.clients.kubectl, "-n", TENANT, "get", "limitranges")
        entry = await floor.ask("steady", "hello")
        code, sentence = told(await floor.ask("greedy", "hello"))
    assert entry["error"] is None, entry["error"]
    assert code == Reason.DENIED_BY_POLICY
    assert "maximum memory usage per Container is 300Mi, but limit is 1Gi" in sentence


async def test_a_pod_that_gets_no_network_is_told_within_a_minute(floor: Floor) -> None:
    floor.cluster.kill("enforcer")
    try:
        message_id, run = await floor.say("steady", "hello")
        ended = await floor.until(run, has_ended, 75)
    finally:
        floor.cluster.start("enforcer")
    assert ended["status"]["error"]["reason"] == Reason.NOT_STARTED
    assert "FailedCreatePodSandBox" in ended["status"]["error"]["message"]
    _, sentence = told(await floor.end_of("steady", message_id))
    assert "could not start the agent" in sentence
    assert (await floor.ask("steady", "hello"))["error"] is None


async def test_a_network_that_comes_in_time_costs_nobody_an_answer(floor: Floor) -> None:
    floor.cluster.kill("enforcer")
    try:
        message_id, run = await floor.say("steady", "hello")
        await floor.told_by_an_event(run, "FailedCreatePodSandBox")
    finally:
        floor.cluster.start("enforcer")
    assert (await floor.end_of("steady", message_id))["error"] is None


# What rules say.


async def test_an_account_that_somebody_deleted_is_made_again(floor: Floor) -> None:
    await floor.ask("steady", "hello")
    await floor.kube.delete(SERVICE_ACCOUNTS, TENANT, "sympozium-run")
    entry = await floor.ask("steady", "hello")
    assert entry["error"] is None, entry["error"]
    assert await floor.kube.get(NETWORK_POLICIES, TENANT, "sympozium-run")


async def test_a_policy_that_forbids_the_pod_is_quoted(floor: Floor) -> None:
    group = "admissionregistration.k8s.io/v1"
    policy: Object = {
        "metadata": {"name": "no-pods-on-sundays"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ]
            },
            "validations": [
                {
                    "expression": "object.metadata.?labels['sympozium.ai/component'].orValue('')"
                    " != 'run'",
                    "message": "no pods on Sundays",
                }
            ],
        },
    }
    binding: Object = {
        "metadata": {"name": "no-pods-on-sundays"},
        "spec": {"policyName": "no-pods-on-sundays", "validationActions": ["Deny"]},
    }
    root = f"/apis/{group}"
    async with (
        floor.object(f"{root}/validatingadmissionpolicies", policy),
        floor.object(f"{root}/validatingadmissionpolicybindings", binding),
    ):
        code, sentence = told(await floor.ask_until_refused("steady"))
    assert (code, "no pods on Sundays" in sentence) == (Reason.DENIED_BY_POLICY, True)
