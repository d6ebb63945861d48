"""Texts of 64 KiB, 1 MiB and 20 MiB through the whole system: taken, or refused in a sentence."""

import io
import json

import aiohttp
import pytest

from sympozium.kube.client import Kube
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel, System
from tests.scenario.test_runs import ended

pytestmark = pytest.mark.timeout(150)

JSON = {"Content-Type": "application/json"}
KIB, MIB = 1024, 1024 * 1024
MORE_MEMORY = 40 * MIB
"""By how much the largest of these texts may make a program grow."""


def grown(system: System, before: dict[str, int]) -> dict[str, int]:
    """Return the programs that have become much larger."""
    after = system.memory()
    return {
        name: after[name] - bytes_
        for name, bytes_ in before.items()
        if after.get(name, 0) > bytes_ + MORE_MEMORY
    }


async def test_a_message_of_64_kib_is_answered_and_longer_ones_are_refused(
    person: Person, model: ScriptedModel, system: System, http: aiohttp.ClientSession
) -> None:
    await model.script({"match": "aaa", "answer": "Long."})
    assert (await person.ask("large", "a" * (64 * KIB)))["text"] == "Long."
    before = system.memory()
    url = f"{system.url}/api/conversations/large/messages"
    for size in (64 * KIB + 1, MIB, 20 * MIB):
        body = io.BytesIO(json.dumps({"text": "a" * size}).encode())
        async with http.post(url, data=body, headers=JSON | system.headers) as answer:
            assert answer.status == 413
            assert "64 KiB" in (await answer.json())["error"]["message"]
    assert grown(system, before) == {}


@pytest.mark.parametrize("size", [64 * KIB, 400 * KIB, MIB, 20 * MIB])
async def test_an_answer_is_shown_whole_or_said_to_be_too_long(
    person: Person, model: ScriptedModel, system: System, size: int
) -> None:
    await model.script({"match": "question", "answer": "a" * size})
    before = system.memory()
    entry = await person.ask(f"answers-{size}", "a question")
    if size <= 400 * KIB:
        assert (entry["error"], len(entry["text"])) == (None, size)
    else:
        assert entry["error"]["code"] == "ResultTooLarge"
        assert "longer than can be shown" in entry["error"]["message"]
    assert grown(system, before) == {}


async def test_a_task_by_kubectl_is_run_or_refused_with_its_field(
    system: System, kube: Kube, model: ScriptedModel
) -> None:
    await model.script({"match": "aaa", "answer": "Long."})
    for size, complaint in ((64 * KIB, ""), (MIB, "spec.task"), (20 * MIB, "too large")):
        name = f"task-{size}"
        manifest = {
            "apiVersion": "sympozium.ai/v1alpha1",
            "kind": "AgentRun",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"agentRef": "assistant", "task": "a" * size},
        }
        made = system.kubectl("create", "-f", "-", text=json.dumps(manifest))
        assert (made.returncode == 0) == (not complaint), made.stderr[:500]
        assert complaint in made.stderr
        if not complaint:
            assert (await ended(kube, name))["status"]["result"] == "Long."
