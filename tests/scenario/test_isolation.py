"""What the agent container of a run can reach, shown by a run that tries."""

import asyncio
import json
import secrets
from urllib.parse import urlsplit

import pytest

from sympozium.contract.resources import JOBS, PODS, Object
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person
from tests.fixtures.system import PLANTED_KEY, ScriptedModel, System

PROBE = """
import json, os, pathlib, socket, sys
found = {"environ": dict(os.environ), "reached": [], "readable": []}
for address in json.loads(sys.argv[1]):
    try:
        socket.create_connection(tuple(address), timeout=2).close()
        found["reached"].append(address)
    except OSError:
        pass
for path in json.loads(sys.argv[2]):
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


async def probing_pod(kube: Kube, run: str, *arguments: str) -> Object:
    """Return a pod like that of *run*, whose agent container tries things instead."""
    job = await kube.get(JOBS, "default", run)
    template = job["spec"]["template"]
    spec = json.loads(json.dumps(template["spec"]))
    spec["containers"][0]["command"] = ["python", "-c", PROBE, *arguments]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"probe-{secrets.token_hex(3)}",
            "namespace": "default",
            "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
        },
        "spec": spec,
    }


@pytest.mark.timeout(90)
async def test_an_agent_container_reaches_its_bridge_and_nothing_else(
    person: Person, kube: Kube, system: System, model: ScriptedModel
) -> None:
    await person.ask("probe", "hello")
    run = (await kube.list(JOBS, "default")).items[-1]["metadata"]["name"]
    environ = await bridge_environ(kube, run)
    parts = (environ["SYMPOZIUM_NATS_URL"], system.endpoint().url, system.url, system.model_url)
    addresses = [
        *([url.hostname, url.port] for url in map(urlsplit, parts)),
        ["127.0.0.1", 8001],
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
    pod = await kube.create(
        PODS, await probing_pod(kube, run, json.dumps(addresses), json.dumps(paths))
    )
    found = json.loads(await log_of(kube, system, pod["metadata"]["name"]))
    assert found["reached"] in ([["127.0.0.1", 8001]], [])
    assert found["readable"] in ([], ["/root"])
    values = " ".join(found["environ"].values())
    assert PLANTED_KEY not in values
    assert "NATS" not in " ".join(found["environ"])
    assert len(found["processes"]) <= 2, "its own process and the first one of its namespace"


async def bridge_environ(kube: Kube, run: str) -> dict[str, str]:
    job = await kube.get(JOBS, "default", run)
    (bridge,) = [
        container
        for container in job["spec"]["template"]["spec"]["initContainers"]
        if container["name"] == "ipc-bridge"
    ]
    return {one["name"]: one.get("value", "") for one in bridge["env"]}


async def log_of(kube: Kube, system: System, pod: str) -> str:
    async with asyncio.timeout(30):
        while True:
            seen = await kube.get(PODS, "default", pod)
            statuses = seen["status"].get("containerStatuses", [])
            if any("terminated" in status["state"] for status in statuses):
                break
            await asyncio.sleep(0.1)
    answer = system.kubectl("logs", pod, "-c", "agent")
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
