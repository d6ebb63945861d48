"""Deleting finished runs, by number and age, and never one that somebody still waits for.

The answer of a run is in its status and nowhere else until a router has put it
into OUTBOX. So a run that answers a message goes only after a router has said
that nobody waits; while no router is there to be asked, all of them stay.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable
from datetime import datetime

from sympozium.contract.names import RunName
from sympozium.contract.resources import AGENT_RUNS, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import ConflictError, NotFoundError
from sympozium.kube.informer import Key
from sympozium.kube.measures import QueueName
from sympozium.kube.queue import WorkQueue
from sympozium_controller.runs.history import Finished, History, HistoryLimits, read_finished
from sympozium_controller.runs.observe import RunCache
from sympozium_controller.runs.view import is_finished_run
from sympozium_controller.runs.waiters import Waiters

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Runs that one question names, and that one turn deletes."""

LOOKED_AT = 1000
"""Runs of one Agent that one turn asks about: those that are waited for hide no others."""

PAUSE_S = 1.0
"""Between two turns, so that people's messages come first."""

SETTLE_S = 5.0
"""How long changes are gathered before the next look at an Agent's runs."""

ASK_AGAIN_S = 60.0
MAX_BACKOFF_S = 300.0
"""How much later than the end of an outage old runs may go: nobody waits for that."""

Now = Callable[[], datetime]


class Retention:
    """Deletes the finished runs that are too many or too old."""

    def __init__(
        self,
        kube: Kube,
        waiters: Waiters,
        cache: RunCache,
        limits: HistoryLimits,
        *,
        now: Now | None = None,
    ) -> None:
        self._kube = kube
        self._waiters = waiters
        self._cache = cache
        self._limits = limits
        self._now = now or kube.now
        self._histories: dict[Key, History] = {}
        self._looks: dict[Key, float] = {}
        self._queue: WorkQueue[Key] = WorkQueue(QueueName.RETENTION, max_backoff_s=MAX_BACKOFF_S)
        self._is_running = False
        cache.runs.listen(self._run_changed)
        cache.agents.listen(self._agent_changed)

    async def run(self, stop: asyncio.Event) -> None:
        """Delete what is due until *stop* is set. The copies must be complete."""
        self._looks.clear()
        self._is_running = True
        for agent in self._histories:
            self._look_at(agent, 0.0)
        try:
            await self._queue.work(self.prune, stop, workers=1)
        finally:
            self._is_running = False

    async def prune(self, agent: Key) -> None:
        """Delete some of the finished runs of one Agent that are due, and see to the rest later.

        Raises:
            TransientError: No router, or no API server, answers; nothing is deleted unasked.
        """
        self._looks.pop(agent, None)
        history = self._histories.get(agent)
        if history is None:
            return
        limits, now = self._limits_of(agent), self._now()
        due = list(itertools.islice(history.due(limits, now), LOOKED_AT))
        gone, is_left = 0, False
        for chunk in _chunks(due):
            unneeded = await self._unneeded(agent[0], chunk)
            for one in unneeded:
                await self._delete(agent, one)
            gone += len(unneeded)
            if gone >= AT_ONCE:
                is_left = True
                break
        if gone:
            extra = {"action": "prune", "namespace": agent[0], "agent": agent[1], "count": gone}
            log.info("finished runs deleted", extra=extra)
        self._look_later(agent, is_left=is_left)

    def _look_later(self, agent: Key, *, is_left: bool) -> None:
        history = self._histories.get(agent)
        moment = history.next_due(self._limits_of(agent)) if history is not None else None
        if moment is not None:
            # What is due now and still here is waited for, unless this turn was over too soon.
            least_s = PAUSE_S if is_left else SETTLE_S
            wait_s = (moment - self._now()).total_seconds()
            self._look_at(agent, max(wait_s, least_s) if wait_s > 0 or is_left else ASK_AGAIN_S)

    async def _unneeded(self, namespace: str, runs: list[Finished]) -> list[Finished]:
        """Return those of *runs* for whose answer nobody waits.

        Raises:
            TransientError: No router could say so.
        """
        asked = [run.asked for run in runs if run.asked is not None]
        waiting = await self._waiters.among(namespace, asked) if asked else set()
        return [run for run in runs if run.asked not in waiting]

    async def _delete(self, agent: Key, run: Finished) -> None:
        try:
            await self._kube.delete(AGENT_RUNS, agent[0], run.name, uid=run.uid)
        except (NotFoundError, ConflictError):  # gone, and perhaps another one has its name
            log.debug("run is gone already", extra={"action": "prune", "run": run.name})
        self._drop(agent, run.name)

    def _limits_of(self, agent: Key) -> HistoryLimits:
        found = self._cache.agents.get(*agent)
        spec: Object = found["spec"] if found is not None else {}
        return HistoryLimits(
            successful=spec.get("successfulRunsHistoryLimit", self._limits.successful),
            failed=spec.get("failedRunsHistoryLimit", self._limits.failed),
            age=self._limits.age,
        )

    def _run_changed(self, _: Key, old: Object | None, new: Object | None) -> None:
        if old is not None and is_finished_run(old):
            self._drop(_agent_of(old), RunName(old["metadata"]["name"]))
        if new is None or not is_finished_run(new) or "deletionTimestamp" in new["metadata"]:
            return
        agent = _agent_of(new)
        history = self._histories.setdefault(agent, History(self._limits.age))
        history.put(read_finished(new))
        self._look_at(agent, SETTLE_S)

    def _drop(self, agent: Key, name: RunName) -> None:
        history = self._histories.get(agent)
        if history is not None:
            history.drop(name)
            if not len(history):
                del self._histories[agent]

    def _agent_changed(self, key: Key, _old: Object | None, _new: Object | None) -> None:
        if key in self._histories:
            self._look_at(key, SETTLE_S)

    def _look_at(self, agent: Key, after_s: float) -> None:
        """Look at the runs of an Agent in *after_s*, unless that is done sooner anyway."""
        if not self._is_running:
            return
        due = asyncio.get_running_loop().time() + after_s
        if agent not in self._looks or due < self._looks[agent]:
            self._looks[agent] = due
            self._queue.add_after(agent, after_s)


def _agent_of(run: Object) -> Key:
    return run["metadata"]["namespace"], run["spec"].get("agentRef", "")


def _chunks(runs: list[Finished]) -> list[list[Finished]]:
    return [runs[start : start + AT_ONCE] for start in range(0, len(runs), AT_ONCE)]
