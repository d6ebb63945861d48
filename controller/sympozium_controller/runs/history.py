"""The finished runs of one Agent, in the order in which they may go: values, and no I/O.

Each change costs a search in a sorted list, and the next one to go stands first,
so ten thousand finished runs cost a look no more than ten.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sympozium.contract.agentrun import Phase
from sympozium.contract.limits import RUN_LINGERS
from sympozium.contract.names import MessageId, RunName, RunUid
from sympozium.contract.resources import Object
from sympozium.contract.times import parse_kube_time
from sympozium.contract.waiting import Asked

_Place = tuple[datetime, RunName]


@dataclass(frozen=True)
class HistoryLimits:
    """How many finished runs of one Agent are kept, and for how long.

    Attributes:
        successful: How many that succeeded.
        failed: How many that ended otherwise.
        age: How long any of them is kept, unless it says itself.
    """

    successful: int = 100
    failed: int = 100
    age: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Finished:
    """One finished run.

    Attributes:
        ttl: How long it wants to be kept; None: as long as others.
        is_counted: Whether a limit by number is for it.
        asked: The message that it answers, if it answers one.
    """

    name: RunName
    uid: RunUid
    ended: datetime
    has_succeeded: bool
    ttl: timedelta | None
    is_counted: bool
    asked: Asked | None


def read_finished(run: Object) -> Finished:
    """Read a finished AgentRun as `slim_run` holds it."""
    metadata, spec, status = run["metadata"], run["spec"], run["status"]
    ttl, asked = spec.get("ttlSecondsAfterFinished"), run.get("asked")
    return Finished(
        name=RunName(metadata["name"]),
        uid=RunUid(metadata["uid"]),
        ended=_time(status["finishedAt"]) or parse_kube_time(metadata["creationTimestamp"]),
        has_succeeded=status["phase"] == Phase.SUCCEEDED,
        ttl=None if ttl is None else timedelta(seconds=ttl),
        is_counted=spec.get("cleanup") != "keep",
        asked=Asked(channel=asked["channel"], message_id=MessageId(asked["messageId"]))
        if asked
        else None,
    )


class History:
    """Finished runs of one Agent.

    A limit by number leaves a run alone until its pod has gone; an age does not.
    """

    def __init__(self, age: timedelta) -> None:
        self._age = age
        self._runs: dict[RunName, Finished] = {}
        self._by_age: list[_Place] = []
        self._by_end: dict[bool, list[_Place]] = {True: [], False: []}

    def __len__(self) -> int:
        return len(self._runs)

    def put(self, run: Finished) -> None:
        """Take in *run*, in the place of what was known by its name."""
        self.drop(run.name)
        self._runs[run.name] = run
        for places, place in self._places(run):
            insort(places, place)

    def drop(self, name: RunName) -> None:
        """Forget a run; that it is not known is success."""
        run = self._runs.pop(name, None)
        for places, place in self._places(run) if run is not None else ():
            del places[bisect_left(places, place)]

    def due(self, limits: HistoryLimits, now: datetime) -> Iterator[Finished]:
        """Yield the runs that are to go by *now*. The history must not change meanwhile."""
        seen: set[RunName] = set()
        for places, count, linger in self._going(limits):
            for moment, name in places[:count]:
                if moment + linger > now:
                    break
                if name not in seen:
                    seen.add(name)
                    yield self._runs[name]

    def next_due(self, limits: HistoryLimits) -> datetime | None:
        """Return when the next run is to go; None: not before something changes."""
        moments = [
            places[0][0] + linger for places, count, linger in self._going(limits) if count > 0
        ]
        return min(moments, default=None)

    def _going(self, limits: HistoryLimits) -> Iterator[tuple[list[_Place], int, timedelta]]:
        """Yield runs in their order, how many of them are to go, and how long after."""
        yield self._by_age, len(self._by_age), timedelta(0)
        for has_succeeded, most in ((True, limits.successful), (False, limits.failed)):
            places = self._by_end[has_succeeded]
            yield places, max(len(places) - most, 0), RUN_LINGERS

    def _places(self, run: Finished) -> Iterator[tuple[list[_Place], _Place]]:
        yield self._by_age, (run.ended + (self._age if run.ttl is None else run.ttl), run.name)
        if run.is_counted:
            yield self._by_end[run.has_succeeded], (run.ended, run.name)


def _time(text: str) -> datetime | None:
    """Return the time that *text* says; None where somebody wrote something else by hand."""
    try:
        moment = parse_kube_time(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
