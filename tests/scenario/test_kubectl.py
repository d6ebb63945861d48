"""What a person does with kubectl, through the running system."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sympozium.contract.resources import AGENT_RUNS, JOBS, RUN_LABEL, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel, System
from tests.scenario.acting import started_run
from tests.scenario.test_runs import ended, no_pod_of

pytestmark = pytest.mark.timeout(180)

SLOWLY = {"match": "slowly", "answer": "a b c d e f g h i j k l", "delay_s": 1}
"""Work that lasts long enough to be seen at it."""

HEADERS = {
    "agent": "NAME MODEL READY REASON AGE",
    "agentrun": "NAME AGENT PHASE REASON WAITS FOR AGE",
    "channel": "NAME TYPE AGENT READY REASON AGE",
    "job": "NAME STATUS COMPLETIONS DURATION AGE",
    "pod": "NAME READY STATUS RESTARTS AGE",
}

AGENT = """
apiVersion: sympozium.ai/v1alpha1
kind: Agent
metadata: {{name: by-kubectl, namespace: default}}
spec:
  agents:
    default: {{model: {model}, baseURL: "{url}"}}
"""

RUN = """
apiVersion: sympozium.ai/v1alpha1
kind: AgentRun
metadata: {{name: {name}, namespace: default}}
spec: {{agentRef: {agent}, task: "do it slowly"}}
"""


@asynccontextmanager
async def started(
    system: System, *arguments: str, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Have kubectl run while the block lasts, at the longest."""
    process = await asyncio.create_subprocess_exec(
        "kubectl", *arguments, env=await asyncio.to_thread(_environ, system) | more,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _environ(system: System) -> dict[str, str]:
    return system.clients_environ


async def kubectl(system: System, *arguments: str, stdin: str = "", **more: str) -> str:
    """Run kubectl, which must succeed, and return what it said."""
    async with started(system, *arguments, **more) as process:
        out, _ = await process.communicate(stdin.encode())
    assert process.returncode == 0, out.decode()
    return out.decode()


def tables(text: str) -> dict[str, list[str]]:
    """Return the lines of each table of `kubectl get` of several kinds, by kind."""
    found = {}
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        found[re.split(r"[./]", lines[1])[0]] = lines
    return found


def line_of(lines: list[str], *words: str) -> bool:
    """Return whether one line has all *words* as cells."""
    return any(all(word in line.split() for word in words) for line in lines)


async def test_tables_show_how_everything_stands(
    system: System, person: Person, kube: Kube
) -> None:
    message_id = await person.say("tables", "which pods run here?")
    await person.end_of("tables", message_id)
    run = (await started_run(kube, message_id))["metadata"]["name"]
    shown = tables(await kubectl(system, "get", "agents,agentruns,channels,jobs,pods"))
    headers = {kind: " ".join(lines[0].split()) for kind, lines in shown.items()}
    assert headers == HEADERS
    assert line_of(shown["agent"], "agent.sympozium.ai/assistant", "True", "Ready")
    assert line_of(shown["agentrun"], f"agentrun.sympozium.ai/{run}", "assistant", "Succeeded")
    assert line_of(shown["channel"], "channel.sympozium.ai/web", "web", "assistant", "True")
    assert any(f"job.batch/{run} " in line for line in shown["job"])
    assert any(line.startswith("pod/channel-web-") and "Running" in line for line in shown["pod"])
    wide = await kubectl(system, "get", "agentruns", run, "-o", "wide")
    assert wide.splitlines()[0].split()[-3:] == ["CHANNEL", "MODEL", "TASK"]
    assert "which pods run here?" in wide.splitlines()[1]


async def phases_of(watch: asyncio.subprocess.Process, run: str) -> list[str]:
    """Return the phases that a watch prints of *run*, up to its end, each once in a row."""
    assert watch.stdout is not None
    seen: list[str] = []
    async for line in watch.stdout:
        cells = line.decode().split()
        if cells[:1] == [run] and cells[2:3] != seen[-1:]:
            seen += cells[2:3]
        if seen[-1:] in (["Succeeded"], ["Failed"]):
            break
    return seen


async def follow(system: System, run: str, container: str) -> str:
    """Follow the log of a container of *run* from when there is its pod, to its end."""
    asked = ("get", "pods", "-l", f"{RUN_LABEL}={run}", "-o", "name")
    while not (pod := (await kubectl(system, *asked)).strip()):  # noqa: ASYNC110 - as a person looks
        await asyncio.sleep(0.1)
    await kubectl(system, "wait", pod, "--for=jsonpath={.status.phase}=Running", "--timeout=60s")
    return await kubectl(system, "logs", "-f", pod, "-c", container)


async def test_a_run_is_watched_followed_and_described_to_its_end(
    system: System, model: ScriptedModel
) -> None:
    await model.script(SLOWLY)
    manifest = RUN.format(name="watched", agent="assistant")
    async with started(system, "get", "agentruns", "-w") as watch, asyncio.TaskGroup() as group:
        phases = group.create_task(phases_of(watch, "watched"))
        await kubectl(system, "apply", "-f", "-", stdin=manifest)
        agent = group.create_task(follow(system, "watched", "agent"))
        bridge = group.create_task(follow(system, "watched", "ipc-bridge"))
    assert phases.result() == ["Pending", "Running", "Succeeded"]
    assert '"run ended"' in agent.result()
    assert '"watched"' in bridge.result()
    described = " ".join((await kubectl(system, "describe", "agentrun", "watched")).split())
    assert "Phase: Succeeded" in described
    assert "Message: the agent answered" in described
    assert "Reason: Answered" in described


async def test_a_run_that_came_to_nothing_is_described_with_its_reason(
    system: System, kube: Kube, model: ScriptedModel
) -> None:
    await model.script({"match": "slowly", "status": 401})
    await kubectl(
        system, "apply", "-f", "-", stdin=RUN.format(name="refused-key", agent="assistant")
    )
    await ended(kube, "refused-key")
    described = " ".join((await kubectl(system, "describe", "agentrun", "refused-key")).split())
    assert "Phase: Failed" in described
    assert described.count("Reason: ModelRefused") == 2  # of the error, and of the condition


async def test_an_agent_is_applied_both_ways_and_an_edit_counts_for_the_next_run(
    system: System, kube: Kube, model: ScriptedModel
) -> None:
    await model.script({"match": "slowly", "answer": "done"})
    small = AGENT.format(model="small", url=system.model_url)
    apply = ("apply", "-f", "-")
    assert "by-kubectl created" in await kubectl(system, *apply, stdin=small)
    assert "by-kubectl unchanged" in await kubectl(system, *apply, stdin=small)
    medium = small.replace("small", "medium")
    assert "serverside-applied" in await kubectl(system, *apply, "--server-side", stdin=medium)
    used = [await model_used(system, kube, "before-the-edit")]
    editor = "sed -i 's/model: medium/model: large/'"
    edited = await kubectl(system, "edit", "agent", "by-kubectl", KUBE_EDITOR=editor)
    assert "by-kubectl edited" in edited
    used.append(await model_used(system, kube, "after-the-edit"))
    assert used == ["medium", "large"]
    await kubectl(system, "delete", "agent", "by-kubectl")


async def model_used(system: System, kube: Kube, run: str) -> str:
    """Return the model that a new run of the agent uses."""
    await kubectl(system, "apply", "-f", "-", stdin=RUN.format(name=run, agent="by-kubectl"))
    status: Object = (await ended(kube, run))["status"]
    assert status["phase"] == "Succeeded", status
    return str(status["model"])


async def test_an_edited_channel_has_another_agent_answer(
    system: System, person: Person, kube: Kube, model: ScriptedModel
) -> None:
    await model.script({"match": "who", "answer": "done"})
    agent = AGENT.format(model="small", url=system.model_url)
    await kubectl(system, "apply", "-f", "-", stdin=agent)

    async def answered_by(name: str, *, instead_of: str) -> None:
        editor = f"sed -i 's/agentRef: {instead_of}/agentRef: {name}/'"
        edited = await kubectl(system, "edit", "channel", "web", KUBE_EDITOR=editor)
        assert "web edited" in edited
        for number in range(20):  # until the router's copy is the changed one
            message_id = await person.say(f"edited-{name}-{number}", "who are you?")
            await person.end_of(f"edited-{name}-{number}", message_id)
            if (await started_run(kube, message_id))["spec"]["agentRef"] == name:
                return
        raise AssertionError(f"{name} does not answer")

    try:
        await answered_by("by-kubectl", instead_of="assistant")
    finally:
        await answered_by("assistant", instead_of="by-kubectl")
        await kubectl(system, "delete", "agent", "by-kubectl")


async def test_a_run_that_is_deleted_at_work_takes_all_of_it_along_and_is_told_once(
    system: System, person: Person, kube: Kube, model: ScriptedModel
) -> None:
    await model.script(SLOWLY)
    async with person.events("deleted") as events:
        message_id = await person.say("deleted", "do it slowly")
        async for event in events:
            assert event.type not in {"final", "error"}, event
            if event.type == "delta":
                break
    run = (await started_run(kube, message_id))["metadata"]["name"]
    assert "deleted" in await kubectl(system, "delete", "agentrun", run)
    end = await person.end_of("deleted", message_id)
    assert (end["error"]["code"], "was cancelled" in end["error"]["message"]) == ("Cancelled", True)
    await no_pod_of(kube, run)
    for kind in (JOBS, AGENT_RUNS):
        with pytest.raises(NotFoundError):
            await kube.get(kind, "default", run)
    await person.ask("deleted", "hello")  # nothing more was on its way to this message
    assert len(replies_to(await person.transcript("deleted"), message_id)) == 1


async def test_a_runs_fields_are_explained(system: System) -> None:
    explained = " ".join((await kubectl(system, "explain", "agentrun.spec")).split())
    assert "agentRef <string> -required- Name of the Agent, in the same namespace." in explained
    assert "task <string> -required- What the agent is asked." in explained
    assert "timeout <string> Deadline from the start of the run" in explained
