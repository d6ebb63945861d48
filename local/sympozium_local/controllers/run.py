"""All built-in controllers of one cluster, on shared informers."""

import asyncio
from collections.abc import Iterable

from sympozium.contract.resources import DEPLOYMENTS, JOBS, PODS, REPLICA_SETS, SERVICES
from sympozium.kube.client import Kube
from sympozium.kube.informer import Informer
from sympozium.runtime.loops import Loop, run_until_stopped
from sympozium_local.controllers.deployments import DeploymentController
from sympozium_local.controllers.endpoints import EndpointsController
from sympozium_local.controllers.held import held_job, held_pod
from sympozium_local.controllers.jobs import JobController
from sympozium_local.controllers.pods import owner_uids
from sympozium_local.controllers.replica_sets import ReplicaSetController

DRAIN_S = 2.0


async def run_controllers(kube: Kube, stop: asyncio.Event) -> None:
    """Run the Job, Deployment, ReplicaSet and Endpoints controllers until *stop* is set.

    Raises:
        PermanentError: The API server does not serve one of their kinds, or refuses them.
    """
    pods = Informer(kube, PODS, indexes={"owner": owner_uids}, keep=held_pod)
    sets = Informer(kube, REPLICA_SETS, indexes={"owner": owner_uids})
    jobs = Informer(kube, JOBS, keep=held_job)
    deployments = Informer(kube, DEPLOYMENTS)
    services = Informer(kube, SERVICES)
    informers = (pods, sets, jobs, deployments, services)
    controllers: tuple[Loop, ...] = (
        JobController(kube, jobs, pods).run,
        ReplicaSetController(kube, sets, pods).run,
        DeploymentController(kube, deployments, sets).run,
        EndpointsController(kube, services, pods).run,
    )

    async def controllers_loop(stop: asyncio.Event) -> None:
        # Deciding on half a list would create pods that are there already.
        if await _synced(informers, stop):
            await run_until_stopped(*controllers, stop=stop, drain_s=DRAIN_S)

    loops = [informer.run for informer in informers]
    await run_until_stopped(controllers_loop, *loops, stop=stop, drain_s=2 * DRAIN_S)


async def _synced(informers: Iterable[Informer], stop: asyncio.Event) -> bool:
    """Wait for the first lists; return False when *stop* came before them."""
    async with asyncio.TaskGroup() as group:
        lists = group.create_task(_first_lists(informers))
        stopped = group.create_task(stop.wait())
        await asyncio.wait({lists, stopped}, return_when=asyncio.FIRST_COMPLETED)
        lists.cancel()
        stopped.cancel()
    return not stop.is_set()


async def _first_lists(informers: Iterable[Informer]) -> None:
    for informer in informers:
        await informer.synced.wait()
