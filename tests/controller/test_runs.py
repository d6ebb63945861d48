"""Runs from AgentRun to status, through a real API server and a real bus."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS, EVENTS, JOBS, PODS, Object
from sympozium.contract.run_events import Blocked, Failure, Result, Started, Usage
from sympozium.contract.subjects import RUNS_CONSUMER, run_out
from sympozium.kube.client import Kube
from sympozium_controller.settings import Settings
from tests.controller.cluster import (
    BARRIER,
    NAMESPACE,
    WAIT_S,
    Cluster,
    controller,
    say,
    settings_for,
    until_heard,
)
from tests.fixtures.nats_server import NatsServer


async def test_a_run_becomes_a_job_and_its_result_its_status(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    job = await controlled.job("r1")
    assert job["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]
    await say(bus, run, Started())
    usage = Usage(input_tokens=2, output_tokens=1)
    await say(bus, run, Result(text="hi", usage=usage, blocked_connections=3), number=2)
    status = await controlled.ended("r1")
    assert (status["phase"], status["result"]) == ("Succeeded", "hi")
    assert (status["model"], status["jobName"]) == ("test-model", "r1")
    assert status["usage"] == {"inputTokens": 2, "outputTokens": 1}
    assert status["blockedConnections"] == 3
    assert status["startedAt"]


def writes_noted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[str, str]]:
    """Return a list that gets (method, path) of every write from now on that names *name*."""
    noted: list[tuple[str, str]] = []
    request = Kube.request

    async def noting(kube: Kube, method: str, path: str, **given: Any) -> Object:
        if method != "GET" and f'"{name}"' in json.dumps([path.split("/"), given]):
            noted.append((method, path))
        return await request(kube, method, path, **given)

    monkeypatch.setattr(Kube, "request", noting)
    return noted


async def test_a_run_costs_one_job_and_one_status_write(
    controlled: Cluster, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("second")
    writes = writes_noted(monkeypatch, "second")
    await controlled.job("second")
    await say(bus, run, Result(text="hi"))
    await controlled.ended("second")
    await controlled.knows_every_run()
    assert [method for method, _ in writes] == ["POST", "PUT"], writes
    assert [path.rpartition("/")[2] for _, path in writes] == ["jobs", "status"]


async def test_what_a_run_tried_is_known_whoever_ends_it(controlled: Cluster, bus: NatsBus) -> None:
    await controlled.create_agent()
    stopped = await controlled.create_run("stopped")
    answered = await controlled.create_run("answered")
    for run in (stopped, answered):
        await controlled.job(run["metadata"]["name"])
        await say(bus, run, Blocked(connections=4), number=1)
        await say(bus, run, Blocked(connections=9), number=2)
    await until_heard(bus)
    await controlled.kube.patch(AGENT_RUNS, NAMESPACE, "stopped", {"spec": {"cancel": True}})
    await say(bus, answered, Result(text="hi", blocked_connections=2), number=3)  # it began anew
    for name, phase in (("stopped", "Cancelled"), ("answered", "Succeeded")):
        status = await controlled.ended(name)
        assert (status["phase"], status["blockedConnections"]) == (phase, 9)


async def test_an_agents_own_word_for_its_failure_is_kept(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    await say(bus, run, Failure(reason="ModelTimeout", detail="no token for 30 s"))
    status = await controlled.ended("r1")
    assert status["phase"] == "Failed"
    assert status["error"] == {"reason": "ModelTimeout", "message": "no token for 30 s"}


async def test_runs_of_a_conversation_start_one_after_the_other(
    controlled: Cluster, bus: NatsBus
) -> None:
    await controlled.create_agent()
    second = await controlled.create_run("second", conversation="c", sequence=2)
    await controlled.job("second")
    first = await controlled.create_run("first", conversation="d", sequence=1)
    await controlled.job("first")
    waiting = await controlled.create_run("third", conversation="c", sequence=3)
    other = await controlled.create_run("other", conversation="e", sequence=4)
    await controlled.job("other")  # came later and has started: the queue has passed the third
    assert not await controlled.exists(JOBS, "third")
    await say(bus, second, Result(text="done"))
    await controlled.job("third")
    for run in (first, waiting, other):
        await say(bus, run, Result(text="done"))
        await controlled.ended(run["metadata"]["name"])


async def test_a_run_of_an_unknown_agent_fails_and_says_so(controlled: Cluster) -> None:
    await controlled.create_run("r1")
    status = await controlled.ended("r1")
    assert status["error"]["reason"] == "AgentNotFound"


async def test_a_cancelled_run_loses_its_job(controlled: Cluster) -> None:
    await controlled.create_agent()
    await controlled.create_run("r1")
    await controlled.job("r1")
    await controlled.kube.patch(AGENT_RUNS, NAMESPACE, "r1", {"spec": {"cancel": True}})
    status = await controlled.ended("r1")
    assert status["phase"] == "Cancelled"
    await controlled.until_gone(JOBS, "r1")


@pytest.mark.parametrize(
    ("exit_code", "kubelet_reason", "reason"),
    [
        (1, "Error", "AgentCrashed"),
        (137, "OOMKilled", "OutOfMemory"),
        (0, "Completed", "AgentCrashed"),
    ],
)
async def test_a_pod_that_ends_without_an_answer_fails_its_run(
    controlled: Cluster, exit_code: int, kubelet_reason: str, reason: str
) -> None:
    await controlled.create_agent()
    await controlled.create_run("r1")
    pod = await controlled.create_pod(await controlled.job("r1"))
    await controlled.agent_ended(pod, exit_code=exit_code, reason=kubelet_reason)
    status = await controlled.ended("r1")
    assert (status["phase"], status["error"]["reason"]) == ("Failed", reason)


async def test_a_result_that_a_killed_controller_had_in_its_hands_is_found_at_once(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    async with controller(cluster, settings):
        run = await cluster.create_run("r1")
        await cluster.job("r1")
    await say(bus, run, Result(text="hi"))
    async with bus.consume(RUNS_CONSUMER) as deliveries:
        await anext(deliveries)  # taken, and never settled
    async with controller(cluster, settings):
        assert (await cluster.ended("r1"))["result"] == "hi"


async def test_a_result_wins_over_the_end_of_its_pod(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    async with controller(cluster, settings):
        run = await cluster.create_run("r1")
        pod = await cluster.create_pod(await cluster.job("r1"))
    await say(bus, run, Result(text="hi"))
    await cluster.agent_ended(pod, exit_code=1)
    async with controller(cluster, settings):
        assert (await cluster.ended("r1"))["result"] == "hi"


async def test_a_strangers_line_after_the_result_does_not_hide_it(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    async with controller(cluster, settings):
        run = await cluster.create_run("r1")
        pod = await cluster.create_pod(await cluster.job("r1"))
    await say(bus, run, Result(text="hi"))
    subject = run_out(NAMESPACE, RunUid(run["metadata"]["uid"]))
    await bus.publish(subject, b'{"stream":"RUNS","seq":3}', message_id="stranger")
    await cluster.agent_ended(pod, exit_code=1)
    async with controller(cluster, settings):
        assert (await cluster.ended("r1"))["result"] == "hi"


async def test_a_bus_that_is_away_delays_a_run_and_loses_nothing(
    controlled: Cluster, bus: NatsBus, nats_server: NatsServer
) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    nats_server.kill()
    await until_connected(bus, is_so=False)  # what is said before is lost with the connection
    await nats_server.start()
    await until_connected(bus)
    await say(bus, run, Result(text="hi"))
    assert (await controlled.ended("r1"))["result"] == "hi"


async def until_connected(bus: NatsBus, *, is_so: bool = True) -> None:
    """Return once *bus* has noticed that its connection stands, or that it does not."""
    async with asyncio.timeout(WAIT_S):
        while bus.is_connected is not is_so:  # noqa: ASYNC110 - the client has no event for it
            await asyncio.sleep(0.02)


async def test_a_job_that_may_have_no_pod_fails_the_run_with_the_rule(
    controlled: Cluster,
) -> None:
    await controlled.create_agent()
    await controlled.create_run("r1")
    job = await controlled.job("r1")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "r1.1", "namespace": NAMESPACE},
        "involvedObject": {"kind": "Job", "name": "r1", "uid": job["metadata"]["uid"]},
        "reason": "FailedCreate",
        "message": 'Error creating: pods "r1-x" is forbidden: exceeded quota: small',
        "type": "Warning",
    }
    await controlled.kube.create(EVENTS, event)
    status = await controlled.ended("r1")
    assert status["error"]["reason"] == "Quota"
    assert "exceeded quota: small" in status["error"]["message"]
    await controlled.until_gone(JOBS, "r1")


async def test_a_run_that_is_deleted_is_forgotten(controlled: Cluster, bus: NatsBus) -> None:
    await controlled.create_agent()
    run = await controlled.create_run("r1")
    await controlled.job("r1")
    await controlled.kube.delete(AGENT_RUNS, NAMESPACE, "r1")
    await controlled.until_gone(JOBS, "r1")
    await say(bus, run, Result(text="late"))
    again = await controlled.create_run("r2")
    await controlled.job("r2")
    await say(bus, again, Result(text="hi"))
    assert (await controlled.ended("r2"))["result"] == "hi"


async def test_a_run_of_the_same_name_waits_for_the_job_of_the_deleted_one(
    controlled: Cluster,
) -> None:
    await controlled.create_agent()
    await controlled.create_run("r1")
    old = await controlled.job("r1")
    await controlled.kube.delete(AGENT_RUNS, NAMESPACE, "r1")
    await controlled.create_run("r1")
    old_uid = old["metadata"]["uid"]
    fresh = await controlled.until(JOBS, "r1", lambda job: job["metadata"]["uid"] != old_uid)
    assert (
        fresh["metadata"]["ownerReferences"][0]["uid"]
        != old["metadata"]["ownerReferences"][0]["uid"]
    )


async def test_an_image_that_nobody_has_fails_the_run_with_its_name(controlled: Cluster) -> None:
    await controlled.create_agent()
    await controlled.create_run("r1", timeout="1s")
    pod = await controlled.create_pod(await controlled.job("r1"))
    waiting = {"reason": "ErrImagePull", "message": "no such image: x:1"}
    container = {
        "name": "agent",
        "image": "x:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": waiting},
    }
    await controlled.set_status(PODS, pod["metadata"]["name"], {"containerStatuses": [container]})
    status = await controlled.ended("r1")
    assert status["error"]["reason"] == "DeadlineExceeded"  # the deadline comes before the grace
    await controlled.until_gone(JOBS, "r1")


async def test_two_controllers_end_every_run_once_and_with_its_result(
    cluster: Cluster, bus: NatsBus, settings: Settings
) -> None:
    await cluster.create_agent()
    names = [f"r{number}" for number in range(8)]
    other = settings_for(settings.bus)
    async with controller(cluster, settings), controller(cluster, other):
        since = (await cluster.kube.list(AGENT_RUNS, NAMESPACE)).resource_version
        for name in names:
            run = await cluster.create_run(name)
            pod = await cluster.create_pod(await cluster.job(name))
            await say(bus, run, Result(text=name))
            await cluster.agent_ended(pod, exit_code=1)
        for name in names:
            assert (await cluster.ended(name))["result"] == name
        await cluster.knows_every_run()
        writes: Counter[str] = Counter()
        async for event in cluster.kube.watch(AGENT_RUNS, NAMESPACE, since=since):
            name = event.object["metadata"].get("name", "")
            writes[name] += event.type == "MODIFIED"
            if name == BARRIER and event.type == "MODIFIED":
                break
    assert [writes[name] for name in names] == [1] * len(names)
