"""Two controllers and three routers: what is killed, stopped or replaced loses nothing."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sympozium.contract.resources import AGENT_RUNS, DEPLOYMENTS, LEASES
from sympozium.contract.subjects import SHARED_ACK_WAIT_S
from sympozium.kube.client import Kube
from sympozium.kube.lease import DURATION_S
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel, System
from tests.scenario.replicas import (
    NAMESPACE,
    Load,
    containers,
    leader,
    rolled_out,
    until_another_leads,
)

ANSWER = "one two three four five six seven eight nine ten"
SLOW = {"match": "say", "answer": ANSWER, "delay_s": 0.1}

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("replicas")]


@pytest.fixture(scope="module")
def replicas(system: System) -> Iterator[None]:
    """The system with two controllers and three routers."""
    before = {program: replicas_of(system, program) for program in ("controller", "router")}
    scale(system, controller=2, router=3)
    yield
    scale(system, **before)


def replicas_of(system: System, program: str) -> int:
    """Return how many replicas of a program are wanted."""
    asked = ("-n", NAMESPACE, "get", f"deployment/sympozium-{program}", "-o", "json")
    wanted: int = json.loads(system.kubectl(*asked).stdout)["spec"]["replicas"]
    return wanted


def scale(system: System, **replicas: int) -> None:
    """Have so many replicas of each program run, and return when they are ready."""
    for program, count in replicas.items():
        name = f"deployment/sympozium-{program}"
        scaled = system.kubectl("-n", NAMESPACE, "scale", name, f"--replicas={count}")
        assert scaled.returncode == 0, scaled.stderr
    for program in replicas:
        name = f"deployment/sympozium-{program}"
        ready = system.kubectl("-n", NAMESPACE, "rollout", "status", name, "--timeout=50s")
        assert ready.returncode == 0, ready.stdout + ready.stderr


async def test_two_routers_a_killed_one_costs_nobody_an_answer(
    kube: Kube, person: Person, system: System
) -> None:
    load = Load(person, "killed-router")
    async with asyncio.TaskGroup() as group:
        group.create_task(load.ask(people=6, messages=5))
        for _ in range(3):
            await asyncio.sleep(0.4)
            for container in list((await containers(kube, "router")).values())[:2]:
                system.kill_container(container)
    await load.check()


async def test_stale_ack_a_router_stopped_past_the_time_to_redelivery_doubles_nothing(
    kube: Kube, person: Person, system: System
) -> None:
    load = Load(person, "stopped-router")
    first, *_ = (await containers(kube, "router")).values()
    async with asyncio.TaskGroup() as group:
        group.create_task(load.ask(people=6, messages=5))
        await asyncio.sleep(0.3)
        with system.stopped(first):
            await asyncio.sleep(2 * SHARED_ACK_WAIT_S)
    await load.check()


async def test_crash_anywhere_the_leader_killed_in_the_middle_of_runs_is_followed(
    kube: Kube, person: Person, model: ScriptedModel, system: System
) -> None:
    await model.script(SLOW)
    load = Load(person, "killed-leader")
    async with asyncio.TaskGroup() as group:
        group.create_task(load.ask(people=4, messages=2))
        await asyncio.sleep(0.5)
        system.kill_container((await containers(kube, "controller"))[await leader(kube)])
    await load.check()


async def test_duplicate_workers_a_leader_stopped_past_its_lease_acts_no_more(
    kube: Kube, person: Person, model: ScriptedModel, system: System
) -> None:
    await model.script(SLOW)
    load = Load(person, "stopped-leader")
    before = await leader(kube)
    container = (await containers(kube, "controller"))[before]
    async with asyncio.TaskGroup() as group:
        group.create_task(load.ask(people=4, messages=2))
        await asyncio.sleep(0.5)
        with system.stopped(container):
            after = await until_another_leads(kube, before)
            await asyncio.sleep(DURATION_S)
    await load.check()
    lease = await kube.get(LEASES, NAMESPACE, "sympozium-controller")
    assert lease["spec"]["holderIdentity"].startswith(f"{after}_")
    # It stands by, and did not die.
    assert (await containers(kube, "controller"))[before] == container
    runs = (await kube.list(AGENT_RUNS, "default")).items
    ours = [run for run in runs if "stopped-leader" in str(run["spec"].get("source"))]
    assert {run["status"]["phase"] for run in ours} == {"Succeeded"}


@pytest.mark.parametrize(
    ("namespace", "deployment"),
    [
        (NAMESPACE, "sympozium-router"),
        (NAMESPACE, "sympozium-controller"),
        ("default", "channel-web"),
    ],
)
async def test_a_rolling_restart_under_load_loses_nothing(
    kube: Kube, person: Person, namespace: str, deployment: str
) -> None:
    load = Load(person, f"restarted-{deployment}")
    restarted = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat()}
    patch = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
    async with asyncio.TaskGroup() as group:
        group.create_task(load.ask(people=6, messages=5))
        await asyncio.sleep(0.3)
        await kube.patch(DEPLOYMENTS, namespace, deployment, patch)
        await rolled_out(kube, namespace, deployment)
    await load.check()
