"""What the agent container of a run can reach, shown by a run that tries."""

import asyncio
import json
import secrets
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from sympozium.contract.resources import JOBS, PODS, RUN_LABEL, Object
from sympozium.kube.client import Kube, connect
from sympozium.kube.errors import NotFoundError
from tests.fixtures.chat import Person
from tests.fixtures.system import PLANTED_KEY, ScriptedModel, System
from tests.scenario.acting import started_run, token_of

PROBE = """
import json, os, pathlib, socket, sys, time
found = {"environ": dict(os.environ), "reached": [], "readable": []}
def try_to_reach(address):
    try:
        socket.create_connection(tuple(address), timeout=2).close()
    except OSError:
        return False
    found["reached"].append(address)
    return True
allowed = json.loads(sys.argv[1])
deadline = time.monotonic() + 30
while not try_to_reach(allowed) and time.monotonic() < deadline:  # its bridge may be starting yet
    time.sleep(0.05)
for address in json.loads(sys.argv[2]):
    try_to_reach(address)
for path in json.loads(sys.argv[3]):
    try:
        entry = pathlib.Path(path)
        list(entry.iterdir()) if entry.is_dir() else entry.read_bytes()
        found["readable"].append(path)
    except OSError:
        pass
found["processes"] = [
    pathlib.Path("/proc", pid, "cmdline").read_text()
    for pid in os.listdir("/proc")
    if pid.isdigit()
]
print(json.dumps(found))
"""


BRIDGE = ["127.0.0.1", 8001]
"""Where an agent finds its model."""


async def job_of_a_run(person: Person, kube: Kube, model: ScriptedModel) -> Object:
    """Return the Job of a run that is at work, as the controller made it."""
    await model.script({"match": "probe", "answer": "word " * 30, "delay_s": 0.3})
    run = await started_run(kube, await person.say("probe", "a probe"))
    async with asyncio.timeout(30):
        while True:
            try:
                return await kube.get(JOBS, "default", run["metadata"]["name"])
            except NotFoundError:
                await asyncio.sleep(0.05)


def probing_job(job: Object, *arguments: str) -> Object:
    """Return a Job like *job*, whose agent container tries things instead.

    Only the controller may make one.
    """
    template = job["spec"]["template"]
    spec = json.loads(json.dumps(template["spec"]))
    spec["containers"][0]["command"] = ["python", "-c", PROBE, *arguments]
    name = f"probe-{secrets.token_hex(3)}"
    labels = template["metadata"]["labels"]
    marks = {key: labels[key] for key in labels if key.startswith("sympozium.ai/")}
    annotations = template["metadata"].get("annotations", {})
    metadata = {"labels": marks | {RUN_LABEL: name}, "annotations": annotations}
    return {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"backoffLimit": 0, "template": {"metadata": metadata, "spec": spec}},
    }


@pytest.mark.timeout(180)
@pytest.mark.one_machine("the containers of a pod share one network where a kubelet runs them")
async def test_an_agent_container_reaches_its_bridge_and_nothing_else(
    person: Person, kube: Kube, system: System, model: ScriptedModel
) -> None:
    job = await job_of_a_run(person, kube, model)
    environ = bridge_environ(job)
    parts = (environ["SYMPOZIUM_NATS_URL"], system.endpoint().url, system.url, system.model_url)
    addresses = [
        *([url.hostname, url.port] for url in map(urlsplit, parts)),
        ["169.254.169.254", 80],
        ["192.0.2.1", 443],
    ]
    paths = [
        "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "/var/run/secrets/sympozium/bus/token",
        str(system.state),
        "/root",
        "/etc/shadow",
    ]
    probe = probing_job(job, *map(json.dumps, (BRIDGE, addresses, paths)))
    token_file = await token_of(kube, system, "controller")
    async with connect(replace(system.endpoint(), token_file=token_file)) as controller:
        await controller.create(JOBS, probe)
    found = json.loads(await log_of(kube, system, probe["metadata"]["name"]))
    await kube.delete(JOBS, "default", probe["metadata"]["name"])
    assert found["reached"], "it can connect nowhere, which says nothing of where it may not"
    assert found["reached"] == [BRIDGE]
    assert found["readable"] in ([], ["/root"])
    values = " ".join(found["environ"].values())
    assert PLANTED_KEY not in values
    assert "NATS" not in " ".join(found["environ"])
    assert len(found["processes"]) <= 2, "its own process and the first one of its namespace"


def bridge_environ(job: Object) -> dict[str, str]:
    (bridge,) = [
        container
        for container in job["spec"]["template"]["spec"]["initContainers"]
        if container["name"] == "ipc-bridge"
    ]
    return {one["name"]: one.get("value", "") for one in bridge["env"]}


async def log_of(kube: Kube, system: System, job: str) -> str:
    async with asyncio.timeout(60):
        while True:
            pods = (await kube.list(PODS, "default", labelSelector=f"job-name={job}")).items
            statuses = [one for pod in pods for one in pod["status"].get("containerStatuses", [])]
            if any("terminated" in status["state"] for status in statuses):
                break
            await asyncio.sleep(0.1)
    answer = system.kubectl("logs", pods[0]["metadata"]["name"], "-c", "agent")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


async def test_the_model_key_is_in_no_log_and_no_object(person: Person, system: System) -> None:
    answer = await person.ask("secrets", "hello")
    assert PLANTED_KEY not in answer["text"]
    objects = system.kubectl(
        "get", "agents,agentruns,channels,jobs,pods,deployments,events", "-A", "-o", "json"
    )
    assert PLANTED_KEY not in objects.stdout
    logs = system.logs()
    assert logs
    assert [name for name, log in logs.items() if PLANTED_KEY.encode() in log] == []
