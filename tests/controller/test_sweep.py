"""The Jobs of runs that ended a while ago."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import msgspec

from sympozium.contract.agentrun import AgentRunStatus, Phase
from sympozium.contract.limits import RUN_LINGERS
from sympozium.contract.names import RunName, RunUid
from sympozium.contract.resources import JOBS
from sympozium_controller.runs.decide import LookAgain, RemoveJob, Seen, next_actions
from sympozium_controller.runs.pod import build_job
from sympozium_controller.runs.sweep import Sweep
from sympozium_controller.settings import PodSettings
from tests.controller.cluster import NAMESPACE, Cluster
from tests.controller.worlds import START, a_job, a_plan, a_run

ENDED = AgentRunStatus(phase=Phase.SUCCEEDED, finished_at="2026-01-02T03:04:05Z")


def test_a_job_goes_ten_minutes_after_the_end_of_its_run_was_recorded() -> None:
    seen = Seen(replace(a_run(), status=ENDED), None, job=a_job(is_complete=True))
    assert next_actions(seen, now=START) == [LookAgain(RUN_LINGERS.total_seconds())]
    assert next_actions(seen, now=START + RUN_LINGERS) == [RemoveJob()]
    going = replace(seen, job=a_job(is_complete=True, is_deleting=True))
    assert next_actions(going, now=START + RUN_LINGERS) == []


def test_a_job_whose_end_is_not_on_record_does_not_go() -> None:
    seen = Seen(a_run(), None, job=a_job(failure="BackoffLimitExceeded"))
    assert RemoveJob() not in next_actions(seen, now=START + timedelta(days=1))


def test_a_job_that_is_to_be_kept_stays() -> None:
    run = a_run()
    kept = replace(run, spec=msgspec.structs.replace(run.spec, cleanup="keep"), status=ENDED)
    seen = Seen(kept, None, job=a_job(is_complete=True))
    assert next_actions(seen, now=START + timedelta(days=1)) == []


async def test_jobs_that_may_go_go_together_and_no_other(cluster: Cluster) -> None:
    for number in range(3):
        run = replace(a_run(), name=RunName(f"web-{number}"), uid=RunUid(f"uid-{number}"))
        job = build_job(run, a_plan(), PodSettings(nats_url="nats://n"))
        del job["metadata"]["ownerReferences"]  # nobody made the run
        await cluster.kube.create(JOBS, job)
    stop, sweep = asyncio.Event(), Sweep(cluster.kube, pause_s=0.01)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(sweep.run(stop))
        for number in (0, 2):
            sweep.add(NAMESPACE, RunUid(f"uid-{number}"))
        while len(left := (await cluster.kube.list(JOBS, NAMESPACE)).items) > 1:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        stop.set()
    assert [job["metadata"]["name"] for job in left] == ["web-1"]
