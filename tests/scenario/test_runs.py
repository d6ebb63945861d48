"""Runs without a chat, and runs that end before their answer."""

import asyncio

import pytest

from sympozium.contract.resources import AGENT_RUNS, API_VERSION, JOBS, PODS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, NotFoundError
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel, System

TERMINAL = {"Succeeded", "Failed", "Cancelled"}


def run_object(name: str, **spec: object) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRun",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"agentRef": "assistant", "task": "which pods run here?", **spec},
    }


async def ended(kube: Kube, name: str) -> Object:
    async with asyncio.timeout(60):
        while True:
            run = await kube.get(AGENT_RUNS, "default", name)
            if run["status"]["phase"] in TERMINAL:
                return run
            await asyncio.sleep(0.1)


@pytest.mark.timeout(90)
async def test_a_run_applied_by_kubectl_is_run_without_any_chat(system: System, kube: Kube) -> None:
    manifest = """
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: by-hand, namespace: default}
spec: {agentRef: assistant, task: "which pods run here?"}
"""
    applied = system.kubectl("apply", "-f", "-", text=manifest)
    assert applied.returncode == 0, applied.stderr
    run = await ended(kube, "by-hand")
    assert run["status"]["phase"] == "Succeeded"
    assert "by-hand" in run["status"]["result"]
    table = system.kubectl("get", "agentruns", "by-hand")
    assert "Succeeded" in table.stdout
    deleted = system.kubectl("delete", "agentrun", "by-hand")
    assert deleted.returncode == 0, deleted.stderr
    await no_pod_of(kube, "by-hand")
    with pytest.raises(NotFoundError):
        await kube.get(JOBS, "default", "by-hand")


async def no_pod_of(kube: Kube, run: str) -> None:
    async with asyncio.timeout(30):
        while True:
            pods = (await kube.list(PODS, "default")).items
            if not [pod for pod in pods if run in name(pod)]:
                return
            await asyncio.sleep(0.1)


def name(obj: Object) -> str:
    text: str = obj["metadata"]["name"]
    return text


@pytest.mark.timeout(90)
async def test_a_run_past_its_deadline_fails_and_says_so(kube: Kube, model: ScriptedModel) -> None:
    await model.script({"match": "slow", "answer": "a b c d e f g h", "delay_s": 5})
    await kube.create(AGENT_RUNS, run_object("late", task="slow", timeout="2s"))
    run = await ended(kube, "late")
    assert (run["status"]["phase"], run["status"]["error"]["reason"]) == (
        "Failed",
        "DeadlineExceeded",
    )


@pytest.mark.timeout(90)
async def test_a_cancelled_run_ends_and_the_person_is_told(
    person: Person, kube: Kube, model: ScriptedModel, system: System
) -> None:
    await model.script({"match": "slow", "answer": "a b c d e f g h", "delay_s": 5})
    message_id = await person.say("cancelled", "slow")
    run = await started_run(kube, message_id)
    cancelled = system.sympozium("runs", "cancel", name(run))
    assert cancelled.returncode == 0, cancelled.stderr
    assert (await ended(kube, name(run)))["status"]["phase"] == "Cancelled"
    answer = await person.end_of("cancelled", message_id)
    assert answer["error"]["code"] == "Cancelled"


async def started_run(kube: Kube, message_id: str) -> Object:
    async with asyncio.timeout(30):
        while True:
            for run in (await kube.list(AGENT_RUNS, "default")).items:
                if run["spec"].get("source", {}).get("messageId") == message_id:
                    return run
            await asyncio.sleep(0.05)


async def test_a_field_that_nothing_implements_yet_is_refused_by_its_path(
    system: System,
) -> None:
    answer = system.kubectl(
        "apply",
        "-f",
        "-",
        text="""
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {name: refused, namespace: default}
spec: {agentRef: assistant, task: "hello", sandbox: {enabled: true}}
""",
    )
    assert answer.returncode != 0
    assert "spec.sandbox" in answer.stderr
    assert "not supported yet" in answer.stderr


async def test_a_run_of_an_agent_that_is_not_there_is_refused_by_its_name(kube: Kube) -> None:
    with pytest.raises(ForbiddenError, match="nobody-here"):
        await kube.create(AGENT_RUNS, run_object("nobody", agentRef="nobody-here"))
