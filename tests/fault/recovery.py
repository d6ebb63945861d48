"""How long people wait for an answer when a program dies as they ask.

    python -m tests.fault.recovery                 each kind of kill ten times, as a table
    python -m tests.fault.recovery --times 30 --write FILE
    python -m tests.fault.recovery --kinds slack,node
    python -m tests.fault.recovery --before 600    in a system with the pods of so many runs

Somebody asks at the moment of the kill; what is measured is the time from there until the
answer is seen, the answer's own work included. The row `nobody` is that work alone. What runs
in a run's pod is killed there while it works on the answer: the bridge and the agent as it is
written, the tool as its pod begins. For the last kind the router keeps its sessions at a
PostgreSQL server, which is started again at once; it is left out where there is no such server.

The exit code is 1 if anybody was told an error, but for an agent that was killed.
"""

import argparse
import asyncio
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.messages import OutboundKind
from sympozium.contract.resources import PODS
from sympozium.testing.postgresql import PostgresqlServer, postgresql_programs
from sympozium_local.system.runner import SETTLED_S
from tests.fault.bots import PLATFORMS
from tests.fault.laboratory import Laboratory, laboratory, own_system
from tests.fault.loads import Crowd, answers
from tests.fault.pids import IN_PODS, OF_SUPERVISOR, Pids
from tests.fault.postgresql import on_postgresql
from tests.fault.sight import all_seen

STORE = "postgresql"
AS_WRITTEN = {"bridge", "agent"}
"""They are there only while an answer is written."""

OF_RUNS = AS_WRITTEN | {"tool"}
KINDS = ("nobody", *IN_PODS, *sorted(OF_RUNS), *OF_SUPERVISOR)
ALL = (*KINDS, STORE)
GOAL_S = 3.0
ANSWER_TIMEOUT_S = 120.0
READY_TIMEOUT_S = 30.0
POLL_S = 0.05
SLOW_S = 0.1
SETTLE_S = 1.0
"""Between two kills, so that each begins in a system at rest."""

LIVED_S = SETTLED_S + 1.0
"""What dies again before, on this machine, is started with a pause, which is not measured."""


AT_ONCE = 50
"""Runs before the first kill that are asked for side by side."""


@dataclass
class Recoveries:
    """Seconds until the end was seen, by who was killed, and how many ends were errors."""

    took_s: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in ALL})
    errors: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, took_s: float, crowd: Crowd) -> None:
        """Note that it took so long once until *crowd* saw the end, and say so."""
        self.took_s[kind].append(took_s)
        ids = [stored.message.message_id for stored in crowd.observer.stored(crowd.said[-1].token)]
        ends = {end.kind for id_ in ids for end in crowd.observer.ends(id_)}
        self.errors[kind] += OutboundKind.ERROR in ends
        sys.stderr.write(f"{kind} {took_s:.2f} s, {', '.join(end.value for end in ends)}\n")

    def table(self) -> str:
        """Return a row for each kind of kill."""
        rows = [
            "| killed as somebody asked | times | errors | end seen after, p50 | p99 | longest |"
        ]
        rows.append("|---|---|---|---|---|---|")
        for kind, times in self.took_s.items():
            if not times:
                continue
            high = _share(times, 0.99)
            rows.append(
                f"| {kind} | {len(times)} | {self.errors[kind]} | {statistics.median(times):.2f} s "
                f"| {high:.2f} s | {max(times):.2f} s |"
            )
        slow = [
            kind for kind, times in self.took_s.items() if times and _share(times, 0.99) > GOAL_S
        ]
        goal = f"missed by {', '.join(slow)}" if slow else "met"
        return "\n".join([*rows, "", f"goal, p99 of each kind <= {GOAL_S:g} s: {goal}"])

    @property
    def is_unexplained(self) -> bool:
        """Whether anybody was told an error who should have been answered."""
        return any(number for kind, number in self.errors.items() if kind != "agent")


def _share(times: Sequence[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def measure(
    lab: Laboratory, recoveries: Recoveries, *, times: int, kinds: Sequence[str] = ALL
) -> None:
    """Kill each of *kinds* *times* times, in turns, and note what it took."""
    ended = dict.fromkeys(kinds, -LIVED_S)
    for number in range(times):
        for kind in (kind for kind in kinds if kind != STORE):
            await asyncio.sleep(max(0.0, ended[kind] + LIVED_S - time.monotonic()))
            crowd = lab.crowd(f"recovery/{kind}/{number}", kind)
            await _renew(lab.pids, kind)
            recoveries.note(kind, await _once(lab, kind, crowd), crowd)
            ended[kind] = time.monotonic()
    if STORE in kinds:
        await _measure_store(lab, recoveries, times)


async def _measure_store(lab: Laboratory, recoveries: Recoveries, times: int) -> None:
    programs = postgresql_programs()
    if programs is None:
        sys.stderr.write("there is no PostgreSQL server here: apt-get install postgresql\n")
        return
    async with on_postgresql(lab.pids.kube, programs) as server:
        for number in range(times):
            crowd = lab.crowd(f"recovery/{STORE}/{number}")
            recoveries.note(STORE, await _once_without(server, crowd), crowd)


async def _once(lab: Laboratory, kind: str, crowd: Crowd) -> float:
    await asyncio.sleep(SETTLE_S)
    token = crowd.token()
    calls = {"tool": "list_pods", "arguments": "{}"} if kind == "tool" else {}
    slow = {"delay_s": SLOW_S} if kind in AS_WRITTEN else {}
    await crowd.script({**answers(token), **calls, **slow})
    name = crowd.conversation("probe")
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        before = await lab.pids.of(kind) if kind in OF_RUNS else []
        if kind in OF_RUNS:
            await crowd.say(name, token)
        if kind in AS_WRITTEN:
            await crowd.until_running(name, token)
        pids = await _pids(lab, kind, before)
        began = time.monotonic()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if kind in PLATFORMS:
            await crowd.say_at_platform(name, token)
        elif kind not in OF_RUNS:
            await crowd.say(name, token)
        await crowd.ended()
        await all_seen(crowd)
    return time.monotonic() - began


async def _pids(lab: Laboratory, kind: str, before: Sequence[int]) -> list[int]:
    """Return the processes to kill; of a run's pod those that were not there *before*, if late."""
    if kind == "nobody":
        return []
    while True:
        pids = [pid for pid in await lab.pids.of(kind) if pid not in before]
        if pids or kind not in OF_RUNS:
            return pids
        await asyncio.sleep(POLL_S)


async def _once_without(server: PostgresqlServer, crowd: Crowd) -> float:
    await asyncio.sleep(SETTLE_S)
    token = crowd.token()
    await crowd.script(answers(token))
    async with asyncio.timeout(ANSWER_TIMEOUT_S), asyncio.TaskGroup() as group:
        began = time.monotonic()
        server.kill()
        group.create_task(server.start())
        await crowd.say(crowd.conversation("probe"), token)
        await crowd.ended()
        await all_seen(crowd)
        return time.monotonic() - began


async def _renew(pids: Pids, kind: str) -> None:
    """Have a program run in a new pod: one that died lately is started with a pause."""
    if kind not in IN_PODS:
        return
    async with asyncio.timeout(READY_TIMEOUT_S):
        while True:
            with suppress(TransientError, PermanentError):
                old = await pids.pods_of(kind)
                break
            await asyncio.sleep(POLL_S)
        uids = {pod["metadata"]["uid"] for pod in old}
        for pod in old:
            metadata = pod["metadata"]
            with suppress(TransientError, PermanentError):
                await pids.kube.delete(PODS, metadata["namespace"], metadata["name"])
        while not await _is_renewed(pids, kind, uids):  # noqa: ASYNC110 - the cluster does it
            await asyncio.sleep(POLL_S)


async def _is_renewed(pids: Pids, kind: str, old: set[str]) -> bool:
    with suppress(TransientError):
        pods = await pids.pods_of(kind)
        return bool(pods) and all(
            pod["metadata"]["uid"] not in old
            and any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in pod.get("status", {}).get("conditions", [])
            )
            for pod in pods
        )
    return False


async def _have_run(lab: Laboratory, runs: int) -> None:
    """Return when so many messages were answered, whose pods then stay for ten minutes."""
    for first in range(0, runs, AT_ONCE):
        crowd = lab.crowd(f"recovery/before/{first}")
        tokens = [crowd.token() for _ in range(min(AT_ONCE, runs - first))]
        await crowd.script(*map(answers, tokens))
        async with asyncio.TaskGroup() as group:
            for token in tokens:
                group.create_task(crowd.say(crowd.conversation("before"), token))
        await crowd.ended()


async def _run(given: argparse.Namespace) -> Recoveries:
    recoveries = Recoveries()
    with own_system() as (system, model_port):
        async with laboratory(system, model_port, seed=given.seed, bots=PLATFORMS) as lab:
            await _have_run(lab, given.before)
            await measure(lab, recoveries, times=given.times, kinds=given.kinds)
    return recoveries


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    if unknown := set(kinds) - set(ALL):
        raise argparse.ArgumentTypeError(
            f"there is no {', '.join(sorted(unknown))}; use some of {', '.join(ALL)}"
        )
    return kinds


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.recovery", description=__doc__)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", type=_kinds, default=ALL, help=f"of {', '.join(ALL)}")
    parser.add_argument("--before", type=int, default=0, help="runs that have ended before")
    parser.add_argument("--write", type=Path, help="also write the table here")
    given = parser.parse_args()
    recoveries = asyncio.run(_run(given))
    text = recoveries.table()
    sys.stdout.write(text + "\n")
    if given.write is not None:
        given.write.write_text(text + "\n")
    raise SystemExit(recoveries.is_unexplained)


if __name__ == "__main__":
    main()
