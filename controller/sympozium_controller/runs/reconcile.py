"""Carrying out what is decided about runs, and looking where a decision asks for it.

Every write is fenced: a Job by its name, a status by the resource version that
was decided upon. So a second controller, or a stale copy, cannot end a run twice.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from sympozium.bus.ports import Bus, LiveBus
from sympozium.bus.restarts import is_past_restart
from sympozium.contract.agentrun import TERMINAL_PHASES, AgentRunStatus
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import AGENT_RUNS, AGENTS, JOBS, Object
from sympozium.contract.subjects import run_out
from sympozium.kube.client import Kube
from sympozium.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from sympozium.kube.informer import Key
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium.kube.refusals import read_refusal
from sympozium.runtime.reach import reach
from sympozium.runtime.sync_points import Point
from sympozium_controller.runs import decide, status
from sympozium_controller.runs.addresses import AddressBook
from sympozium_controller.runs.decide import QuotaUsedUp, Seen, next_actions
from sympozium_controller.runs.endings import (
    Ending,
    Silence,
    absorbed_messages,
    stored_ending,
    was_handed_something,
)
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.plan import Plan, plan_run
from sympozium_controller.runs.pod import MODEL_ANNOTATION, build_job
from sympozium_controller.runs.quota import is_used_up
from sympozium_controller.runs.reports import AccountMissing, why_no_pod, why_not_begun
from sympozium_controller.runs.sweep import Sweep
from sympozium_controller.runs.trouble import Trouble
from sympozium_controller.runs.turns.turns import Turns
from sympozium_controller.runs.turns.waiting_room import WaitingRoom
from sympozium_controller.runs.view import JobView, Run, is_finished_run, read_job, read_run
from sympozium_controller.settings import NO_LIMITS, Limits, PodSettings

log = logging.getLogger(__name__)

MAX_ROUNDS = 12
"""Decisions in a row about one run before it has to queue again; four is usual."""

_NO_SPEC: Object = {"agentRef": "-", "task": "-"}

MAX_BACKOFF_S = 3.0
"""How much later than the end of a fault a run may go on."""


class AnyBus(Bus, LiveBus, Protocol):
    """What lasts and what does not."""


class Namespaces(Protocol):
    """What runs need in a namespace. Every method raises `TransientError`: try again."""

    async def ensure(self, namespace: str) -> object:
        """Make it be there, before the first Job."""

    async def restore(self, namespace: str) -> None:
        """Make it be there again, where somebody took it away."""


@dataclass(frozen=True)
class World:
    """What the reconciler of runs acts upon.

    Attributes:
        namespaces: Makes the accounts of run pods exist.
        addresses: Knows what a run's pod is told of names. None: it may ask for them itself.
    """

    kube: Kube
    bus: AnyBus
    cache: RunCache
    pods: PodSettings
    namespaces: Namespaces
    limits: Limits = NO_LIMITS
    addresses: AddressBook | None = None


class RunReconciler:
    """Brings every AgentRun to its end."""

    def __init__(self, world: World, *, workers: int = 16) -> None:
        self._world = world
        self._workers = workers
        self._queue: WorkQueue[Key] = WorkQueue(QueueName.RUNS, max_backoff_s=MAX_BACKOFF_S)
        self._strangers: dict[Key, JobView] = {}
        self._due: dict[Key, float] = {}
        self._unasked: set[str] = set()
        world.cache.wake(self._queue.add)
        wake = self._queue.add
        self._turns = Turns(world.cache, world.limits, wake)
        self._sweep = Sweep(world.kube)
        self._room = WaitingRoom(world.kube, world.bus, world.cache, self._turns, wake)

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile what changes until *stop* is set. The copies must be complete.

        A killed predecessor may have had endings in its hands, which the bus
        delivers again only after a while; so the runs that are there now are
        asked after once.
        """
        runs = self._world.cache.runs.all()
        self._unasked = {run["metadata"]["uid"] for run in runs if not is_finished_run(run)}
        self._turns.open()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._room.run(stop))
            group.create_task(self._sweep.run(stop))
            await self._queue.work(self.reconcile, stop, workers=self._workers)

    async def reconcile(self, key: Key) -> None:
        """Do everything there is to do now about one run."""
        await self._settle(key, Silence.NOT_ASKED)

    async def end(self, key: Key, ending: Ending) -> None:
        """Write what *ending* says into the status of a run, unless it has ended before.

        Raises:
            TransientError: It is not written; try again.
        """
        await self._settle(key, ending)

    async def _settle(self, key: Key, ending: Ending | Silence) -> None:
        asked = _Asked(ending)
        uid = None
        for _ in range(MAX_ROUNDS):
            obj = self._world.cache.runs.get(*key)
            if obj is None or (uid is not None and obj["metadata"]["uid"] != uid):
                self._due.pop(key, None)
                self._room.leave(key)
                return
            uid = obj["metadata"]["uid"]
            try:
                seen = asked.put_into(await self._see(obj))
            except msgspec.ValidationError as error:  # a schema that is not ours let it in
                await self._end_unreadable(obj, str(error))
                return
            if uid in self._unasked:
                self._unasked.discard(uid)
                if seen.job is not None and asked.ending is Silence.NOT_ASKED:
                    asked = await self._ask_bus(seen, asked)
                    continue
            actions = next_actions(seen, now=self._world.kube.now())
            if not actions:
                self._due.pop(key, None)
            if actions == [decide.LookAtBus()]:
                asked = await self._ask_bus(seen, asked)
            elif actions == [decide.LookAtEvents()]:
                asked = replace(asked, refusal=await self._ask_events(seen))
            elif not await self._carry_out(actions, obj, seen):
                return
        self._queue.add_after(key, 1.0)

    async def _end_unreadable(self, obj: Object, cause: str) -> None:
        """End a run of which, or of whose Agent, a part is not what our kinds allow."""
        if is_finished_run(obj):
            return
        run = read_run({**obj, "spec": _NO_SPEC, "status": {}})
        text = f"cannot read the run or its Agent: {cause}; correct the spec"
        facts = status.Facts(run=run, now=self._world.kube.now())
        await self._write_status(obj, status.failed(facts, Reason.CONFIGURATION, text))

    async def _see(self, obj: Object) -> Seen:
        run, cache = read_run(obj), self._world.cache
        stranger = self._strangers.pop((run.namespace, run.name), None)
        job = cache.job(run) or stranger
        return self._queued_as_it_is(
            Seen(
                run=run,
                plan=None if job is not None or run.is_finished else await self._plan(run),
                job=job,
                pod=None if job is None else cache.pod(job),
                leaving=() if job is None else cache.leaving_pods(job),
                has_predecessor=cache.conversations.before(obj) > 0,
                started=cache.started(run.uid),
                blocked=cache.blocked(run.uid),
            ),
            obj,
        )

    def _queued_as_it_is(self, seen: Seen, obj: Object) -> Seen:
        """Return *seen* with whether it is the run's turn; if it waits, have that shown."""
        run = seen.run
        key = (run.namespace, str(run.name))
        is_to_start = not (run.is_finished or run.is_deleting or run.spec.cancel)
        has_turn = True
        if seen.job is None and is_to_start and not seen.has_predecessor and seen.plan is not None:
            has_turn = self._turns.may_start(obj)
        elif seen.job is None:
            self._turns.leave(key)
        is_behind = seen.job is None and seen.has_predecessor
        has_no_room = seen.pod is not None and seen.pod.is_unschedulable
        if is_to_start and (is_behind or has_no_room or not has_turn):
            since = self._room.enter(run, is_behind=is_behind, now=self._world.kube.now())
            return replace(seen, has_turn=has_turn, waits_since=since)
        self._room.leave(key)
        return seen

    async def _plan(self, run: Run) -> Plan | None:
        name = run.spec.agent_ref
        agent = self._world.cache.agent(run.namespace, name)
        if agent is None:  # applied a moment ago, perhaps: our copy may be behind
            try:
                found = await self._world.kube.get(AGENTS, run.namespace, name)
            except NotFoundError:
                return None
            self._world.cache.agents.remember(found)
            agent = self._world.cache.agent(run.namespace, name)
        bounds = self._world.cache.bounds(run.namespace)
        return None if agent is None else plan_run(run.spec, agent, bounds)

    async def _carry_out(self, actions: list[decide.Action], obj: Object, seen: Seen) -> bool:
        """Carry out *actions* and return whether there may be more to decide."""
        changed = False
        for action in actions:
            match action:
                case decide.CreateJob(plan=plan):
                    changed = await self._create_job(obj, seen.run, plan)
                case decide.WriteStatus(status=wanted):
                    changed = await self._write_status(obj, await self._with_absorbed(seen, wanted))
                case decide.DeleteJob(uid=uid):
                    await self._delete_job(seen.run, uid)
                case decide.RemoveJob():
                    self._sweep.add(seen.run.namespace, seen.run.uid)
                case decide.GiveBack(uid=uid):
                    await self._delete_job(seen.run, uid)
                    self._turns.give_back(obj)
                case decide.LookAgain(after_s=after_s):
                    self._look_again((seen.run.namespace, seen.run.name), after_s)
        return changed

    async def _create_job(self, obj: Object, run: Run, plan: Plan) -> bool:
        """Create the Job, or write why it may not be; return whether the run is still there."""
        kube, jobs = self._world.kube, self._world.cache.jobs
        await self._world.namespaces.ensure(run.namespace)
        aliases = await self._aliases(run, plan)
        reach(Point.CONTROLLER_BEFORE_JOB)
        try:
            created = await kube.create(JOBS, build_job(run, plan, self._world.pods, aliases))
            reach(Point.CONTROLLER_AFTER_JOB)
            jobs.remember(created)
        except AlreadyExistsError:  # ours, from a life before; or one that our copies never see
            found = await kube.get(JOBS, run.namespace, run.name)
            jobs.remember(found)
            view = read_job(found, model_annotation=MODEL_ANNOTATION)
            self._strangers[run.namespace, run.name] = view
        except (ForbiddenError, InvalidError) as error:
            if is_used_up(str(error)):
                self._turns.give_back(obj)
                return True
            reason = read_refusal(str(error)).reason
            facts = status.Facts(run=run, now=self._world.kube.now(), model=plan.model.model)
            return await self._write_status(obj, status.failed(facts, reason, str(error)))
        log.debug("job created", extra={"action": "create", "run": run.name})
        return True

    async def _aliases(self, run: Run, plan: Plan) -> list[Object] | None:
        pods, book = self._world.pods, self._world.addresses
        if book is None:
            return None
        return await book.aliases(run.namespace, bus_url=pods.nats_url, model_url=plan.model_url)

    async def _with_absorbed(self, seen: Seen, wanted: AgentRunStatus) -> AgentRunStatus:
        """Return *wanted* with the messages that the run took in, where it is terminal."""
        run, bus = seen.run, self._world.bus
        if wanted.phase not in TERMINAL_PHASES or seen.job is None:
            return wanted
        told = self._world.cache.has_absorbed(run.uid)
        if not told and not await was_handed_something(bus, run.namespace, run.uid):
            return wanted
        absorbed = await absorbed_messages(bus, run.namespace, run.uid)
        return msgspec.structs.replace(wanted, absorbed=absorbed)

    async def _write_status(self, obj: Object, wanted: AgentRunStatus) -> bool:
        """Write a status, or read the run anew; return whether the run is still there."""
        metadata = obj["metadata"]
        runs = self._world.cache.runs
        if wanted.phase in TERMINAL_PHASES:
            reach(Point.CONTROLLER_BEFORE_STATUS)
        try:
            written = await self._world.kube.replace(
                AGENT_RUNS, {**obj, "status": status.to_object(wanted)}, subresource="status"
            )
        except ConflictError:  # somebody changed it: decide again on what it is now
            return await self._refresh(metadata["namespace"], metadata["name"])
        except NotFoundError:  # our copy will go when the watch says so
            return False
        if wanted.phase in TERMINAL_PHASES:
            reach(Point.CONTROLLER_AFTER_STATUS)
        runs.remember(written)
        _log_end(metadata, wanted)
        return True

    async def _refresh(self, namespace: str, name: str) -> bool:
        try:
            fresh = await self._world.kube.get(AGENT_RUNS, namespace, name)
        except NotFoundError:
            return False
        self._world.cache.runs.remember(fresh)
        return True

    async def _delete_job(self, run: Run, uid: str) -> None:
        reach(Point.CONTROLLER_BEFORE_DELETE_JOB)
        try:
            await self._world.kube.delete(JOBS, run.namespace, run.name, uid=uid)
            reach(Point.CONTROLLER_AFTER_DELETE_JOB)
        except (NotFoundError, ConflictError):
            return

    def _look_again(self, key: Key, after_s: float) -> None:
        now = asyncio.get_running_loop().time()
        due = self._due.get(key, 0.0)
        if now < due <= now + after_s:
            return
        self._due[key] = now + after_s
        self._queue.add_after(key, after_s)

    async def _ask_bus(self, seen: Seen, asked: "_Asked") -> "_Asked":
        bus, run = self._world.bus, seen.run
        leaving = {pod.uid for pod in seen.leaving}
        has_acted = bool(leaving) and await is_past_restart(
            bus, run.namespace, run.uid, leaving.__contains__
        )
        ending = await stored_ending(bus, run_out(run.namespace, run.uid))
        return replace(asked, ending=ending, has_acted=has_acted)

    async def _ask_events(self, seen: Seen) -> Trouble | QuotaUsedUp | Silence:
        kube, namespace = self._world.kube, seen.run.namespace
        if seen.pod is not None:
            return await why_not_begun(kube, namespace, seen.pod)
        if seen.job is None:
            return Silence.NOTHING
        said = await why_no_pod(kube, namespace, seen.job.uid)
        if isinstance(said, AccountMissing):
            await self._world.namespaces.restore(namespace)
            return Silence.NOTHING  # the Job controller tries again
        return said


@dataclass(frozen=True)
class _Asked:
    """What was asked for, for one decision, because it mattered."""

    ending: Ending | Silence
    has_acted: bool | None = None
    refusal: Trouble | QuotaUsedUp | Silence = Silence.NOT_ASKED

    def put_into(self, seen: Seen) -> Seen:
        return replace(seen, ending=self.ending, has_acted=self.has_acted, refusal=self.refusal)


def _log_end(metadata: Object, wanted: AgentRunStatus) -> None:
    if wanted.phase in TERMINAL_PHASES:
        reason = wanted.error.reason if wanted.error is not None else ""
        log.info(
            "run ended",
            extra={
                "action": wanted.phase.value,
                "run": metadata["name"],
                "namespace": metadata["namespace"],
                "reason": reason,
            },
        )
