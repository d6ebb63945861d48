"""Requests to a real API server, by program, verb and resource: one run, many, and at rest.

    python -m tests.bench.kube_audit --name NAME [--runs 100] [--minutes 10]

Where and how it is run is said in tests/bench/kube_release.py.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter

from tests.bench.kube_release import WRITES, Asked, Installed, installed

AT_ONCE = 8
SETTLE_S = 15.0
"""After the last answer: what belongs to the runs is over by then."""


def say(line: str = "") -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def ask(system: Installed, count: int) -> None:
    """Ask *count* questions in conversations of their own, and await their answers."""
    slots, since = asyncio.Semaphore(AT_ONCE), int(time.time())

    async def one(number: int) -> None:
        async with slots:
            entry = await system.person.ask(f"audit-{since}-{number}", "measure this")
            assert entry["error"] is None, entry["error"]

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


async def measure(system: Installed, runs: int) -> list[Asked]:
    """Return what was asked of the API server by so many runs."""
    begun = time.time()
    await ask(system, runs)
    await asyncio.sleep(SETTLE_S)
    return system.audit(begun, time.time())


def table(title: str, requests: list[Asked], runs: int = 1) -> None:
    """Print the requests of our programs, those on leases apart, and the others in sum."""
    ours = [one for one in requests if one.is_ours]
    kept = [one for one in ours if not one.resource.startswith("leases")]
    writes = [one for one in kept if one.verb in WRITES and "review" not in one.resource]
    others = [one for one in requests if not one.is_ours and one.verb in WRITES]
    say(f"{title}: {len(writes) / runs:.2f} writes of ours a run, {len(others) / runs:.1f} others'")
    counted = Counter((one.program, one.verb, one.resource) for one in ours)
    for (program, verb, resource), count in sorted(counted.items()):
        say(f"  {program:34} {verb:16} {resource:28} {count:6} {count / runs:8.2f} a run")
    say()


async def main() -> None:
    """Count for one run, for many, and for some minutes in which nobody says anything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10)
    told = parser.parse_args()
    async with installed(told.name) as system:
        await ask(system, 1)
        await asyncio.sleep(SETTLE_S)
        table("one run", await measure(system, 1))
        table(f"{told.runs} runs", await measure(system, told.runs), told.runs)
        begun = time.time()
        await asyncio.sleep(60 * told.minutes)
        table(f"{told.minutes:g} minutes at rest", system.audit(begun, time.time()))


if __name__ == "__main__":
    asyncio.run(main())
