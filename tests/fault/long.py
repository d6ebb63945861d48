"""A thousand deaths over all sync points: `python -m tests.fault.long`.

    python -m tests.fault.long                            1,000 kills and 100 restarts of the bus
    python -m tests.fault.long --kills 500 --restarts 50 --seed 2    half of it, another one
    python -m tests.fault.long --replay "round 4 steer slack: router.before-offer"  one round
    python -m tests.fault.long --write FILE               the table, as Markdown
    python -m tests.fault.long --keep FOLDER              what was written in rounds that fail

The exit code is 1 if a promise was broken, or there were too few deaths or restarts.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.fault.bots import PLATFORMS
from tests.fault.keeping import copy_what_was_written
from tests.fault.laboratory import Laboratory, Trouble, laboratory, own_system
from tests.fault.recovery import Recoveries, measure
from tests.fault.rounds import KINDS, Fallen, Plan, Round, all_at_once, parse, restart_bus
from tests.fault.tally import Tally

MAX_ROUNDS = 300


@dataclass(frozen=True)
class Wanted:
    """How long it goes on.

    Attributes:
        each: Deaths at every point.
        recoveries: How often each kind of kill is timed at the end.
        replay: A round to run alone.
        keep: Where the logs of a round are kept in which a promise was broken.
    """

    kills: int
    restarts: int
    each: int
    seed: int
    recoveries: int
    replay: Round | None = None
    keep: Path | None = None

    def rounds(self, tally: Tally) -> Iterator[Round]:
        """Yield what is to be done next, until all has happened."""
        if self.replay is not None:
            yield self.replay
            return
        plan = Plan(self.seed)
        while plan.number < MAX_ROUNDS:
            if self.is_done(tally):
                return
            needs_bus = tally.restarts < self.restarts
            yield plan.draw(tally.deaths, tally.below(self.each), bus=needs_bus)

    def is_done(self, tally: Tally) -> bool:
        """Return whether all has happened: of one round that is replayed, the round."""
        is_enough = tally.kills >= self.kills and tally.restarts >= self.restarts
        return is_enough and not tally.below(self.each) if self.replay is None else tally.rounds > 0


async def run_all(wanted: Wanted, tally: Tally, recoveries: Recoveries) -> None:
    """Run rounds in a system of their own until all that is wanted has happened."""
    begun = time.monotonic()
    with own_system() as (system, model_port):
        async with laboratory(system, model_port, seed=wanted.seed, bots=PLATFORMS) as lab:
            for one in wanted.rounds(tally):
                if not await _run(lab, one, tally):
                    sys.stderr.write(f"broken: {one}\n")
                    if wanted.keep is not None:
                        copy_what_was_written(lab.pids.home, wanted.keep / str(one.number))
                so_far = f"{tally.kills} kills, {tally.restarts} restarts, {tally.broken} broken"
                minutes = (time.monotonic() - begun) / 60
                sys.stderr.write(f"{minutes:5.1f} min  {so_far}  {tally.last}\n")
            await lab.close()
            await measure(lab, recoveries, times=wanted.recoveries)


async def _run(lab: Laboratory, one: Round, tally: Tally) -> bool:
    """Run a round; return whether all promises were kept in it."""
    kind, fallen = KINDS[one.kind], Fallen()
    meanwhile = None
    if one.restart is not None:
        meanwhile = partial(restart_bus, lab.pids.home, *one.restart, fallen)
    trial = await lab.trial(
        partial(all_at_once, wanted=kind.loads),
        Trouble(one.points, kind.mode, one.platform, meanwhile),
        name=str(one.number),
    )
    tally.add(one, trial, fallen.moments)
    return not trial.problems


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
    parser.add_argument("--recoveries", type=int, default=10, help="timed kills of each kind")
    parser.add_argument("--replay", type=parse, help="run this round alone: a line as printed")
    parser.add_argument("--write", type=Path, help="also write the table here")
    parser.add_argument("--keep", type=Path, help="where the logs of a round that fails are kept")
    given = parser.parse_args()
    wanted = Wanted(
        given.kills,
        given.restarts,
        given.each,
        given.seed,
        given.recoveries,
        replay=given.replay,
        keep=given.keep,
    )
    tally, recoveries = Tally(), Recoveries()
    try:
        asyncio.run(run_all(wanted, tally, recoveries))
    finally:  # what is known is worth telling, whatever ended it
        command = f"python -m tests.fault.long {' '.join(sys.argv[1:])}".strip()
        text = f"{tally.table(command)}\n\n{recoveries.table()}\n"
        sys.stdout.write(text)
        if given.write is not None:
            given.write.write_text(text)
    is_broken = bool(tally.broken) or recoveries.is_unexplained
    raise SystemExit(is_broken or not wanted.is_done(tally))


if __name__ == "__main__":
    main()
