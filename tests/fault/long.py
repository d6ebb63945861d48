"""A thousand deaths over all sync points: `python -m tests.fault.long`.

    python -m tests.fault.long                            1,000 kills and 100 restarts of the bus
    python -m tests.fault.long --kills 500 --restarts 50 --seed 2    half of it, another one
    python -m tests.fault.long --only 17                  one round of the seed, to look at it
    python -m tests.fault.long --write FILE               the table, as Markdown

The exit code is 1 if a promise was broken or a point had too few deaths.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

from sympozium.runtime.sync_points import Point
from tests.fault.laboratory import Laboratory, Trouble, laboratory, own_system
from tests.fault.rounds import KINDS, Fallen, Round, all_at_once, plan, restart_bus
from tests.fault.tally import Tally

MAX_ROUNDS = 400


@dataclass(frozen=True)
class Wanted:
    """How long it goes on.

    Attributes:
        each: Deaths at every point.
        only: A round to run alone.
    """

    kills: int
    restarts: int
    each: int
    seed: int
    only: int | None = None

    def is_reached(self, tally: Tally) -> bool:
        """Return whether all of it has happened."""
        return (
            tally.kills >= self.kills
            and tally.restarts >= self.restarts
            and not tally.below(self.each)
        )

    def rounds(self, tally: Tally) -> Iterator[Round]:
        """Yield what is to be done next, until all has happened."""
        share = 1.0 if self.restarts else 0.0
        planned = takewhile(
            lambda one: one.number <= MAX_ROUNDS, plan(self.seed, restarts_each=share)
        )
        for one in planned:
            if self.only in {None, one.number} and (points := tally.useful(one, self.each)):
                yield Round(one.number, one.kind, points, one.restart)
            if self.is_reached(tally) or one.number == self.only:
                return


async def run_all(wanted: Wanted) -> Tally:
    """Run rounds in a system of their own until all that is wanted has happened."""
    tally = Tally()
    begun = time.monotonic()
    with own_system() as (system, model_port):
        async with laboratory(system, model_port, seed=wanted.seed, with_bot=True) as lab:
            for one in wanted.rounds(tally):
                await _run(lab, one, tally)
                so_far = f"{tally.kills} kills, {tally.restarts} restarts, {tally.broken} broken"
                minutes = (time.monotonic() - begun) / 60
                sys.stderr.write(f"{minutes:5.1f} min  {so_far}  {tally.last}\n")
    return tally


async def _run(lab: Laboratory, one: Round, tally: Tally) -> None:
    kind, fallen = KINDS[one.kind], Fallen()
    meanwhile = None
    if one.restart is not None:
        meanwhile = partial(restart_bus, lab.home, *one.restart, fallen)
    trial = await lab.trial(
        partial(all_at_once, wanted=kind.loads),
        Trouble(one.points, kind.mode, meanwhile),
        name=str(one.number),
    )
    tally.add(one, trial, fallen.moments)


def main() -> None:
    """Run it and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fault.long",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--restarts", type=int, default=100, help="of the bus")
    parser.add_argument("--each", type=int, default=10, help="deaths at every point")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run this round alone")
    parser.add_argument("--write", type=Path, help="also write the table here")
    given = parser.parse_args()
    wanted = Wanted(given.kills, given.restarts, given.each, given.seed, given.only)
    tally = asyncio.run(run_all(wanted))
    command = f"python -m tests.fault.long {' '.join(sys.argv[1:])}".strip()
    text = tally.table(command)
    sys.stdout.write(text + "\n")
    if given.write is not None:
        given.write.write_text(text + "\n")
    missing = [point for point in Point if given.only is None and point in tally.below(given.each)]
    raise SystemExit(bool(tally.broken or missing))


if __name__ == "__main__":
    main()
