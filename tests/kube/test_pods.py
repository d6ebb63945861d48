"""The pod of a run on a real kubelet: what is in it, and how it comes and goes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sympozium.contract.resources import JOBS, PODS, Object
from tests.kube.at_work import WAIT_S, Floor, told
from tests.kube.release import SYSTEM_NAMESPACE, TENANT

pytestmark = pytest.mark.timeout(240)

GRACE_S = 10
LOOK = """
import os, pathlib
print(os.path.exists("/var/run/secrets"), os.getuid(), os.listdir("/proc/1/task") != [])
print([n for n in os.environ if "TOKEN" in n or "KEY" in n or "NATS" in n])
try:
    pathlib.Path("/here").write_text("x")
except OSError as error:
    print(error.strerror)
print(open("/proc/1/status").read().split("Seccomp:")[1].split()[0])
print(open("/proc/1/status").read().split("CapEff:")[1].split()[0])
"""


@pytest.fixture
async def floor(floor: Floor) -> AsyncIterator[Floor]:
    """The release with one Agent."""
    async with floor.agents(floor.agent("steady", timeout="2m")):
        yield floor


async def test_the_agents_container_holds_no_credential_and_no_right(floor: Floor) -> None:
    message_id, run = await floor.say("steady", "slowly please")
    pod = await floor.pod_at_work(run)
    name = pod["metadata"]["name"]
    seen = floor.clients.kubectl(
        "exec", "-n", TENANT, name, "-c", "agent", "--", "python", "-c", LOOK
    )
    assert seen.splitlines() == [
        "False 65532 True",
        "[]",
        "Read-only file system",
        "2",
        "0000000000000000",
    ]
    tenant = floor.clients.get("namespace", TENANT)["metadata"]["labels"]
    assert tenant["pod-security.kubernetes.io/enforce"] == "restricted"
    assert (await floor.end_of("steady", message_id))["error"] is None


async def test_a_pod_that_is_deleted_as_it_begins_does_not_stand_for_its_grace(
    floor: Floor,
) -> None:
    message_id, run = await floor.say("steady", "slowly please")
    pod = await floor.pod_at_work(run)
    floor.clients.kubectl("-n", TENANT, "delete", "pod", pod["metadata"]["name"], "--wait=false")
    codes = await exit_codes(floor, pod)
    assert codes["agent"] != 137, "it was killed at the end of its grace"
    assert codes["ipc-bridge"] == 0
    told(await floor.end_of("steady", message_id))


async def test_a_job_is_there_until_somebody_wrote_down_how_its_run_ended(floor: Floor) -> None:
    message_id, run = await floor.say("steady", "slowly please")
    await floor.is_asked("slowly")
    controller = ("-n", SYSTEM_NAMESPACE, "deployment/sympozium-controller")
    before = floor.clients.get(*controller)["spec"]["replicas"]
    floor.clients.kubectl("scale", *controller, "--replicas=0")
    try:
        job = await finished_job(floor, run)
        assert "ttlSecondsAfterFinished" not in job["spec"]
    finally:
        floor.clients.kubectl("scale", *controller, f"--replicas={before}")
    entry = await floor.end_of("steady", message_id)
    assert entry["error"] is None, entry["error"]


async def exit_codes(floor: Floor, pod: Object) -> dict[str, int]:
    """Return with what the containers of a pod ended, as the last that was seen of it."""
    name, codes = pod["metadata"]["name"], dict[str, int]()
    since = pod["metadata"]["resourceVersion"]
    async with asyncio.timeout(WAIT_S):
        async for event in floor.kube.watch(PODS, TENANT, since=since):
            if event.object["metadata"].get("name") != name:
                continue
            status = event.object.get("status", {})
            for kind in ("initContainerStatuses", "containerStatuses"):
                for one in status.get(kind, []):
                    if "terminated" in one["state"]:
                        codes[one["name"]] = one["state"]["terminated"]["exitCode"]
            if event.type == "DELETED" or len(codes) == 2:
                return codes
    raise AssertionError("the watch ended")


async def finished_job(floor: Floor, run: Object) -> Object:
    """Return the Job of a run once the Job controller is done with it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            job = await floor.kube.get(JOBS, TENANT, run["metadata"]["name"])
            conditions = job.get("status", {}).get("conditions", [])
            if {"Complete", "Failed"} & {one["type"] for one in conditions}:
                return job
            await asyncio.sleep(0.3)
