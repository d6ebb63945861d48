"""Every reason why there is no answer, brought about for real, and the sentence a person reads.

The whole system runs; the person sits at the web channel. What the embedded cluster does
not have is stood in for: no ResourceQuota is enforced and no ValidatingAdmissionPolicy is
evaluated, so an admission webhook refuses in the words of the real ones.
"""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sympozium.contract.reasons import Reason
from sympozium.contract.resources import AGENTS, CHANNELS, DEPLOYMENTS, PODS, SECRETS, Object
from sympozium.contract.times import parse_duration, parse_kube_time
from sympozium.kube.client import Kube
from tests.fixtures.admission import refusing
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import free_port
from tests.fixtures.system import ScriptedModel, System
from tests.scenario.acting import pods_of, run_of, started_run

pytestmark = pytest.mark.timeout(150)

CONTROLLER = ("sympozium-system", "sympozium-controller")
"""Its Deployment: the namespace and the name."""

TOLD_WITHIN = timedelta(seconds=15)
"""How long after its deadline a run may be silent, at the most."""


@dataclass(frozen=True)
class Stage:
    """A person, and what an ending is brought about with."""

    person: Person
    kube: Kube
    model: ScriptedModel
    system: System
    directory: Path

    async def ask(self, agent: str, text: str = "a question") -> Object:
        """Ask an agent in a conversation of its own; return what ends the message."""
        return await self.person.ask(f"ending-{agent}", f"@{agent} {text}")


Bring = Callable[[Stage], Awaitable[Object]]


@dataclass(frozen=True)
class Ending:
    """One way to get no answer.

    Attributes:
        says: What stands in the sentence, and nowhere in that of another reason.
    """

    name: str
    reason: Reason
    says: str
    bring: Bring


def agent(name: str, *, secret: str = "", **config: Any) -> Object:
    """Describe an Agent that differs from the assistant in what is given."""
    spec: Object = {
        "agents": {
            "default": {
                "model": "demo",
                "timeout": "40s",
                **config,
            }
        }
    }
    if secret:
        spec["authRefs"] = [{"provider": "openai", "secret": secret}]
    return {
        "apiVersion": AGENTS.api_version,
        "kind": AGENTS.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


AGENTS_OF_THE_STAGE = ("steady", "late", "giant", "hungry", "keyless", "lost")
"""And `absent`, which the channel names and nobody made."""


def stage_agents(system: System) -> list[Object]:
    """Describe the agents of the stage; their model is the scripted one, but for `lost`."""
    url = system.model_url
    return [
        agent("steady", baseURL=url),
        agent("late", baseURL=url, timeout="3s"),
        agent("hungry", baseURL=url, resources={"limits": {"memory": "72Mi"}}),
        agent("giant", baseURL=url, timeout="4s", resources={"requests": {"cpu": "640"}}),
        agent("keyless", baseURL=url, secret="nobody-made-this"),
        agent("lost", baseURL=f"http://127.0.0.1:{free_port()}/v1"),
    ]


@asynccontextmanager
async def channel(
    person: Person, kube: Kube, *, agents: Sequence[str] = (), **spec: object
) -> AsyncIterator[Object]:
    """Have the web channel be so while the block lasts, as the router knows it.

    It names one more agent, which nobody made: a router whose copy of the channel is the
    changed one says so, which is yielded.
    """
    before = (await kube.get(CHANNELS, "default", "web"))["spec"]
    unknown = f"unknown-{secrets.token_hex(3)}"
    changed = {**spec, "agents": [*(agents or before.get("agents") or ()), unknown]}
    restored = {name: before.get(name) for name in changed}
    await kube.patch(CHANNELS, "default", "web", {"spec": changed})
    try:
        yield await until_refused(person, f"@{unknown} hello")
    finally:
        await kube.patch(CHANNELS, "default", "web", {"spec": restored})


async def until_refused(person: Person, text: str) -> Object:
    """Ask until the router's copy of the channel is the changed one; return what is said then."""
    for _ in range(20):
        entry = await person.ask(f"refused-{secrets.token_hex(4)}", text)
        if entry["error"]:
            return entry
    raise AssertionError(f"it is not refused: {text}")


@pytest.fixture
async def stage(
    person: Person, kube: Kube, model: ScriptedModel, system: System, tmp_path: Path
) -> AsyncIterator[Stage]:
    """The whole system with the agents of the stage behind its web channel."""
    for one in stage_agents(system):
        await kube.apply(AGENTS, one, manager="stage")
    async with channel(person, kube, agents=[*AGENTS_OF_THE_STAGE, "absent"]):
        yield Stage(person, kube, model, system, tmp_path)
    for name in AGENTS_OF_THE_STAGE:
        await kube.delete(AGENTS, "default", name)


# What the cluster does.


async def past_the_deadline(stage: Stage) -> Object:
    await stage.model.script({"match": "question", "answer": "a b c d e f g h", "delay_s": 1})
    return await stage.ask("late")


async def out_of_memory(stage: Stage) -> Object:
    """Answer with far more than there is memory for."""
    await stage.model.script({"match": "question", "answer": "x" * 30_000_000})
    return await stage.ask("hungry")


async def volume_filled(stage: Stage) -> Object:
    """Write more than a run's volume may hold.

    Where it is in memory, no more fits; where it is on a disk, the kubelet evicts the pod.
    """
    message_id, run = await asked_and_at_work(stage, "filled")
    volume = await shared_folder(stage, run)
    with (volume / "flood").open("wb", buffering=0) as flood, suppress(OSError):
        for _ in range(66):
            flood.write(bytes(8 << 20))
    return await stage.person.end_of("filled", message_id)


async def no_image(stage: Stage) -> Object:
    """Take the image away from the pod that is made for the run, as no registry has it."""
    async with setting(stage, "SYMPOZIUM_IMAGE_AGENT", "registry.example/none:1"):
        return await stage.ask("steady", "a question without an image")


async def no_room(stage: Stage) -> Object:
    """Ask an agent that wants more processors than this machine can ever have free."""
    return await stage.ask("giant")


async def missing_secret(stage: Stage) -> Object:
    return await stage.ask("keyless")


async def killed(stage: Stage) -> Object:
    message_id, _ = await asked_and_at_work(stage, "killed")
    stage.system.kill("agent")
    return await stage.person.end_of("killed", message_id)


# What a rule says.


async def refused_run(stage: Stage) -> Object:
    return await refused(stage, "sympozium.ai", "agentruns", "no runs on Sundays")


async def refused_job(stage: Stage) -> Object:
    return await refused(stage, "batch", "jobs", "no jobs on Sundays")


async def refused_pod(stage: Stage) -> Object:
    return await refused(stage, "", "pods", "no pods on Sundays")


async def quota_of_runs(stage: Stage) -> Object:
    text = "exceeded quota: small, requested: count/agentruns.sympozium.ai=1, used: 0, limited: 0"
    return await refused(stage, "sympozium.ai", "agentruns", text)


async def quota_of_pods(stage: Stage) -> Object:
    text = "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0"
    return await refused(stage, "", "pods", text)


async def refused(stage: Stage, group: str, resource: str, text: str) -> Object:
    def judge(obj: Object) -> str:
        is_ours = obj["kind"] == "AgentRun" or (
            obj["metadata"].get("labels", {}).get("sympozium.ai/component") == "run"
        )
        return text if is_ours else ""

    name = f"refused-{resource}-{text.split()[0]}"
    async with refusing(
        stage.kube, stage.directory / "hook", group=group, resource=resource, judge=judge
    ):
        return await stage.person.ask(name, "@steady a question")


# What the model does.


def model_that(**behaviour: Any) -> Bring:
    async def bring(stage: Stage) -> Object:
        await stage.model.script({"match": "question", **behaviour})
        name = "-".join(f"{key}-{value}" for key, value in behaviour.items())
        conversation = f"model-{re.sub('[^a-z0-9]+', '-', name.lower())}"[:60].strip("-")
        return await stage.person.ask(conversation, "@steady a question")

    return bring


async def nobody_listens(stage: Stage) -> Object:
    return await stage.ask("lost")


# What the run says of itself: a line that any program in its pod may write.


def run_that_says(**failure: str) -> Bring:
    async def bring(stage: Stage) -> Object:
        conversation = f"says-{failure['reason'].lower()}"
        message_id, run = await asked_and_at_work(stage, conversation)
        journal = await shared_folder(stage, run) / "out.jsonl"
        with journal.open("ab") as out:
            out.write(json.dumps({"type": "failure", **failure}).encode() + b"\n")
        return await stage.person.end_of(conversation, message_id)

    return bring


# What people and operators do.


async def cancelled(stage: Stage) -> Object:
    message_id, run = await asked_and_at_work(stage, "stopped")
    done = stage.system.sympozium("runs", "cancel", run["metadata"]["name"])
    assert done.returncode == 0, done.stderr
    return await stage.person.end_of("stopped", message_id)


async def interrupted(stage: Stage) -> Object:
    async with channel(stage.person, stage.kube, mode="interrupt"):
        message_id, _ = await asked_and_at_work(stage, "interrupted")
        await stage.model.script()
        await stage.person.ask("interrupted", "@steady hello")
        return await stage.person.end_of("interrupted", message_id)


async def nobody_there(stage: Stage) -> Object:
    return await stage.ask("absent")


async def not_let_in(stage: Stage) -> Object:
    access = {"users": ["somebody-else"]}
    async with channel(stage.person, stage.kube, access=access) as refused:
        return refused  # once: who is not let in is told nothing more


ENDINGS = [
    Ending("deadline", Reason.DEADLINE_EXCEEDED, "took longer than agent late", past_the_deadline),
    Ending("out of memory", Reason.OUT_OF_MEMORY, "ran out of memory", out_of_memory),
    Ending("volume full", Reason.VOLUME_FULL, "took more room", volume_filled),
    Ending("image", Reason.IMAGE_PULL, "cannot get its image", no_image),
    Ending("room", Reason.NO_CAPACITY, "had no room", no_room),
    Ending("secret", Reason.CONFIGURATION, "keyless is not set up completely", missing_secret),
    Ending("killed", Reason.AGENT_CRASHED, "stopped in the middle of its work", killed),
    Ending("run denied", Reason.DENIED_BY_POLICY, "(it says: no runs on Sundays)", refused_run),
    Ending("job denied", Reason.DENIED_BY_POLICY, "(it says: no jobs on Sundays)", refused_job),
    Ending("pod denied", Reason.DENIED_BY_POLICY, "(it says: no pods on Sundays)", refused_pod),
    Ending("quota of runs", Reason.QUOTA, "(it says: quota small)", quota_of_runs),
    Ending("quota of pods", Reason.QUOTA, "(it says: quota small)", quota_of_pods),
    Ending("silent", Reason.MODEL_TIMEOUT, "model stopped answering", model_that(fault="hang")),
    Ending(
        "dripping",
        Reason.MODEL_TIMEOUT,
        "model stopped answering",
        model_that(fault="drip", after_tokens=2),
    ),
    Ending("nobody listens", Reason.MODEL_UNREACHABLE, "cannot be reached", nobody_listens),
    Ending("reset", Reason.MODEL_UNREACHABLE, "cannot be reached", model_that(fault="reset")),
    Ending("wrong key", Reason.MODEL_REFUSED, "refused the request", model_that(status=401)),
    Ending("overloaded", Reason.MODEL_OVERLOADED, "is overloaded", model_that(status=503)),
    Ending("half", Reason.MODEL_BAD_ANSWER, "came incomplete", model_that(fault="truncate")),
    Ending(
        "circles",
        Reason.TOO_MANY_STEPS,
        "as many steps as it may take",
        model_that(tool="no_such_tool", repeat_tool=True),
    ),
    Ending(
        "long",
        Reason.RESULT_TOO_LARGE,
        "longer than can be shown",
        model_that(answer="x" * 600_000),
    ),
    Ending(
        "no context",
        Reason.CONTEXT_UNAVAILABLE,
        "earlier messages of this conversation",
        run_that_says(reason="ContextUnavailable", detail="ConnectionError: 10.0.0.1:4222"),
    ),
    Ending(
        "a bug",
        Reason.INTERNAL,
        "went wrong on our side",
        run_that_says(reason="Oops", detail="Traceback (most recent call last)"),
    ),
    Ending("cancelled", Reason.CANCELLED, "was cancelled", cancelled),
    Ending("interrupted", Reason.INTERRUPTED, "A newer message took over", interrupted),
    Ending("absent", Reason.AGENT_NOT_FOUND, "agent absent does not exist", nobody_there),
    Ending("stranger", Reason.ACCESS_DENIED, "may not talk to this agent", not_let_in),
]

ELSEWHERE = {
    Reason.EVICTED: (
        "tests/kube/test_endings.py",
        "test_a_run_that_was_evicted_after_it_had_called_a_tool_ends_and_says_so",
    ),
    Reason.NAMESPACE_CLOSED: (
        "tests/tenants/test_clearing.py",
        "test_a_run_that_is_at_work_ends_with_its_reason",
    ),
    Reason.NOT_STARTED: (
        "tests/kube/test_endings.py",
        "test_a_pod_that_gets_no_network_is_told_within_a_minute",
    ),
    Reason.MESSAGE_UNREADABLE: (
        "tests/router/test_refusals.py",
        "test_a_message_that_cannot_be_read_is_answered_and_kept_for_a_person",
    ),
    Reason.SET_ASIDE: (
        "tests/dead/test_given_up.py",
        "test_a_message_that_every_router_dies_of_is_set_aside_told_and_holds_nobody_up",
    ),
}
"""What no channel of ours lets through to the router, only a real node does, or takes the tenant
from all others here; and where it is brought about."""


@pytest.mark.parametrize("ending", ENDINGS, ids=[one.name for one in ENDINGS])
async def test_an_ending_without_an_answer_is_told_in_its_sentence(
    stage: Stage, ending: Ending
) -> None:
    entry = await ending.bring(stage)
    assert entry["error"] is not None, entry["text"]
    told = entry["error"]["message"]
    assert (entry["error"]["code"], ending.says in told) == (ending.reason, True), told
    quoted = re.search(r"\(([a-z0-9-]{10,63})\)$", told)
    assert quoted, f"nothing to quote: {told}"
    run = await run_of(stage.kube, entry["in_reply_to"])
    assert run is None or run["metadata"]["name"].endswith(quoted[1])
    for internal in ("Traceback", "127.0.0.1", "10.0.0.1", "Error", "forbidden", "http"):
        assert internal not in told
    told_in_time(run)


def told_in_time(run: Object | None) -> None:
    """Check that the run of an end, if it had one, ended by its deadline and what is allowed."""
    if run is None or "finishedAt" not in run.get("status", {}):
        return
    limit = parse_duration(run["spec"]["timeout"])
    created = parse_kube_time(run["metadata"]["creationTimestamp"])
    assert parse_kube_time(run["status"]["finishedAt"]) <= created + limit + TOLD_WITHIN


def test_every_reason_is_brought_about() -> None:
    brought = {ending.reason for ending in ENDINGS}
    assert brought | set(ELSEWHERE) == set(Reason)
    assert not brought & set(ELSEWHERE)
    root = Path(__file__).parents[2]
    for path, name in ELSEWHERE.values():
        assert f"def {name}(" in (root / path).read_text()


async def test_a_pod_that_is_evicted_is_replaced_and_its_message_answered(
    stage: Stage,
) -> None:
    message_id, run = await asked_and_at_work(stage, "disrupted")
    (pod,) = await pods_of(stage.kube, run)
    await stage.model.script({"match": "question", "answer": "Done."})
    name = pod["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": "default"},
    }
    path = f"/api/v1/namespaces/default/pods/{name}/eviction"
    await stage.kube.request("POST", path, body=eviction)
    entry = await stage.person.end_of("disrupted", message_id)
    assert (entry["error"], entry["text"]) == (None, "Done.")


async def test_a_key_that_is_rotated_while_a_run_is_at_work_costs_nobody_an_answer(
    stage: Stage,
) -> None:
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "nobody-made-this", "namespace": "default"},
        "stringData": {"OPENAI_API_KEY": "sk-old"},
    }
    await stage.kube.create(SECRETS, secret)
    try:
        await stage.model.script(
            {"match": "question", "key": "sk-old", "status": 503, "retry_after_s": 9, "times": 1},
            {"match": "question", "key": "sk-new", "answer": "Done."},
        )
        message_id = await stage.person.say("rotated", "@keyless a question")
        while not await calls_of(stage.model):  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(0.05)
        rotated = {"stringData": {"OPENAI_API_KEY": "sk-new"}}
        await stage.kube.patch(SECRETS, "default", "nobody-made-this", rotated)
        await have_the_kubelet_look(stage, await started_run(stage.kube, message_id))
        entry = await stage.person.end_of("rotated", message_id)
        assert (entry["error"], entry["text"]) == (None, "Done.")
    finally:
        await stage.kube.delete(SECRETS, "default", "nobody-made-this")


async def have_the_kubelet_look(stage: Stage, run: Object) -> None:
    """Change a run's pod: a kubelet renews the Secrets of one once a minute, or when it changes."""
    note = {"metadata": {"annotations": {"looked-at": "now"}}}
    for pod in await pods_of(stage.kube, run):
        await stage.kube.patch(PODS, "default", pod["metadata"]["name"], note)


async def calls_of(model: ScriptedModel) -> int:
    """Return how often the model was asked since it was told what to do."""
    async with model.session.get(f"{model.url}/calls") as answer:
        total: int = (await answer.json())["total"]
        return total


# How things are brought about.


async def asked_and_at_work(stage: Stage, conversation: str) -> tuple[str, Object]:
    """Ask the steady agent; return the message's id and its run, once the model is at work."""
    await stage.model.script({"match": "question", "answer": "word " * 60, "delay_s": 1})
    async with stage.person.events(conversation) as events:
        message_id = await stage.person.say(conversation, "@steady a question")
        async for event in events:
            assert event.type not in {"final", "error"}, event
            if event.type == "delta":
                break
    return message_id, await started_run(stage.kube, message_id)


async def shared_folder(stage: Stage, run: Object) -> Path:
    """Return the volume that the containers of a run share, as the node has it."""
    (pod,) = await pods_of(stage.kube, run)
    return stage.system.volume(pod, "ipc")


@asynccontextmanager
async def setting(stage: Stage, name: str, value: str) -> AsyncIterator[None]:
    """Run the controller with another environment while the block lasts."""
    deployment = await stage.kube.get(DEPLOYMENTS, *CONTROLLER)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    before = {one["name"]: one.get("value", "") for one in container["env"]}
    _set_environment(stage.system, f"{name}={value}")
    try:
        yield
    finally:
        _set_environment(stage.system, f"{name}={before[name]}" if name in before else f"{name}-")


def _set_environment(system: System, assignment: str) -> None:
    namespace, name = CONTROLLER
    deployment = ("-n", namespace, f"deployment/{name}")
    changed = system.kubectl("set", "env", *deployment, assignment)
    assert changed.returncode == 0, changed.stderr
    rolled = system.kubectl("rollout", "status", *deployment, "--timeout=40s")
    assert rolled.returncode == 0, rolled.stdout + rolled.stderr
