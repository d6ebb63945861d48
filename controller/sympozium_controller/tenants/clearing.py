"""Taking away what was made in the namespace of a tenant that is none any more.

What belongs to people stays: Agents, Channels that they made, and the records of their
runs. Nothing waits for a finalizer: the rights by which we clear go last.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from sympozium.bus.admin import channel_consumers, delete_consumer, is_behind
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import (
    AGENT_RUNS,
    CHANNELS,
    DEPLOYMENTS,
    JOBS,
    LIMIT_RANGES,
    NETWORK_POLICIES,
    PART_OF_LABEL,
    PODS,
    RESOURCE_QUOTAS,
    ROLE_BINDINGS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Object,
    Resource,
)
from sympozium.contract.subjects import (
    CHANNEL_CONSUMER_PREFIX,
    OUTBOX,
    Consumer,
    inbox_consumer,
)
from sympozium.kube.client import Kube
from sympozium.kube.errors import ForbiddenError, NotFoundError
from sympozium_controller.furniture import CONTROLLER_ROLE, ROUTER_ROLE, skill_role
from sympozium_controller.runs import status
from sympozium_controller.runs.pod import API_SKILLS
from sympozium_controller.runs.view import is_finished_run, read_run

log = logging.getLogger(__name__)

TELL_S = 10.0
"""How long channels are given to show what their people are told at last."""

SETTLE_S = 1.0
"""How long it takes a router to put into the OUTBOX what is told at last."""

PODS_S = 60.0
"""How long pods are waited for; a node that is lost holds up nothing longer."""

LOOK_EVERY_S = 0.2
PAGE_SIZE = "500"

OURS = f"{PART_OF_LABEL}=sympozium"

WHAT_RUNS: tuple[Resource, ...] = (JOBS, DEPLOYMENTS)
WHAT_IS_LEFT: tuple[Resource, ...] = (
    CHANNELS,
    SERVICES,
    NETWORK_POLICIES,
    SERVICE_ACCOUNTS,
    RESOURCE_QUOTAS,
    LIMIT_RANGES,
)


class Clearing:
    """Clears one namespace after another; without a bus, nobody is told and no place there goes."""

    def __init__(self, kube: Kube, bus: NatsBus | None) -> None:
        self._kube = kube
        self._bus = bus

    async def clear(self, namespace: str) -> None:
        """Take away everything of ours in *namespace*, rights last. Doing it again is no harm.

        Runs that are at work end with their sentence, and channels are given the time
        to show it before they end.

        Raises:
            TransientError: Something is away, or changes; try again.
        """
        try:
            await self._end_runs(namespace)
        except (NotFoundError, ForbiddenError):
            # Cleared before, gone as a whole, or somebody took our rights there away.
            log.warning("namespace not cleared", extra={"action": "skip", "namespace": namespace})
            await self._delete_consumers(namespace)
            return
        await self._let_it_be_told(namespace)
        for resource in WHAT_RUNS:
            await self._kube.delete_all(resource, namespace, labelSelector=OURS)
        await self._pods_gone(namespace)
        await self._delete_consumers(namespace)
        for resource in WHAT_IS_LEFT:
            await self._kube.delete_all(resource, namespace, labelSelector=OURS)
        roles = [*(skill_role(skill) for skill in sorted(API_SKILLS)), ROUTER_ROLE, CONTROLLER_ROLE]
        for name in roles:
            with contextlib.suppress(NotFoundError):
                await self._kube.delete(ROLE_BINDINGS, namespace, name)
        log.info("namespace cleared", extra={"action": "delete", "namespace": namespace})

    async def _end_runs(self, namespace: str) -> None:
        query = {"limit": PAGE_SIZE}
        while True:
            listed = await self._kube.list(AGENT_RUNS, namespace, **query)
            for run in listed.items:
                if not is_finished_run(run):
                    await self._end_run(run)
            if not listed.next_page:
                return
            query["continue"] = listed.next_page

    async def _end_run(self, obj: Object) -> None:
        namespace = obj["metadata"]["namespace"]
        text = f"namespace {namespace!r} is not served any more: its label was taken away"
        facts = status.Facts(run=read_run({**obj, "status": {}}), now=self._kube.now())
        wanted = status.to_object(status.failed(facts, Reason.NAMESPACE_CLOSED, text))
        with contextlib.suppress(NotFoundError):
            await self._kube.replace(AGENT_RUNS, {**obj, "status": wanted}, subresource="status")

    async def _let_it_be_told(self, namespace: str) -> None:
        """Return when all that was said in *namespace* was answered and shown, or soon."""
        await asyncio.sleep(SETTLE_S)
        await _until(partial(self._is_all_shown, namespace), within_s=TELL_S)

    async def _is_all_shown(self, namespace: str) -> bool:
        if self._bus is None:
            return True
        channels = [Consumer(OUTBOX, name, "") for name in await _consumers(self._bus, namespace)]
        readers = [inbox_consumer(namespace), *channels]
        try:
            return not any([await is_behind(self._bus.client, reader) for reader in readers])
        except BusUnavailableError:
            return True  # nobody shows anything now

    async def _pods_gone(self, namespace: str) -> None:
        """Return when no pod of ours is left: only then may its limits go."""

        async def is_none_left() -> bool:
            return not (await self._kube.list(PODS, namespace, labelSelector=OURS)).items

        await _until(is_none_left, within_s=PODS_S)

    async def _delete_consumers(self, namespace: str) -> None:
        if self._bus is None:
            return
        for name in await _consumers(self._bus, namespace):
            await delete_consumer(self._bus.client, Consumer(OUTBOX, name, ""))


async def _consumers(bus: NatsBus, namespace: str) -> list[str]:
    prefix = f"{CHANNEL_CONSUMER_PREFIX}{namespace}_"
    return [one for one in await channel_consumers(bus.client) if one.startswith(prefix)]


async def _until(is_so: Callable[[], Awaitable[bool]], *, within_s: float) -> None:
    """Return when *is_so*, and at the latest after *within_s* seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not await is_so():  # noqa: ASYNC110 - others do it, and tell nobody
                await asyncio.sleep(LOOK_EVERY_S)
