"""Every sync point, and what came of a death there: `python -m tests.fault.points`.

    python -m tests.fault.points                      all of them, as a table
    python -m tests.fault.points router. bridge.after  those that begin so
    python -m tests.fault.points --seed 7 --rounds 3   other words; three times each
    python -m tests.fault.points --json                for further use

The exit code is 1 if a promise was broken or a point was not reached.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Sequence

from sympozium.runtime.sync_points import Point
from tests.fault.bots import TELEGRAM
from tests.fault.laboratory import Outcome, laboratory, own_system


async def try_points(points: Sequence[Point], *, seed: int) -> list[Outcome]:
    """Have each program die at each of *points*, one after the other, in a system of its own."""
    bots = [TELEGRAM] if any(point.program == "channel" for point in points) else []
    outcomes = []
    with own_system() as (system, model_port):
        async with laboratory(system, model_port, seed=seed, bots=bots) as lab:
            for point in [None, *points]:
                outcome = await lab.run(point)
                outcomes.append(outcome)
                sys.stderr.write(_row(outcome) + "\n")
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a row for each outcome, and what all of them come to."""
    rows = ["| point | load | deaths | recovered after | outcome |", "|---|---|---|---|---|"]
    rows += [_row(outcome) for outcome in outcomes]
    killed = [outcome for outcome in outcomes if outcome.point is not None]
    times = sorted(outcome.recovered_s for outcome in killed if outcome.recovered_s is not None)
    broken = sum(bool(outcome.problems) for outcome in killed)
    missed = sum(not outcome.deaths for outcome in killed)
    summary = f"{len(killed)} points, {sum(outcome.deaths for outcome in killed)} deaths"
    rows += ["", f"{summary}; promises broken at {broken}, not reached {missed}"]
    if times:
        high = times[min(len(times) - 1, int(len(times) * 0.99))]
        median = statistics.median(times)
        rows.append(
            f"recovered, the rest of the work included: p50 {median:.1f} s, p99 {high:.1f} s"
        )
    return "\n".join(rows)


def _row(outcome: Outcome) -> str:
    name = "none" if outcome.point is None else outcome.point.value
    after = outcome.took_s if outcome.point is None else outcome.recovered_s
    time = "-" if after is None else f"{after:.1f} s"
    return f"| `{name}` | {outcome.load} | {outcome.deaths} | {time} | {outcome.verdict} |"


def main() -> None:
    """Try the points that are asked for and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault.points", description=__doc__)
    parser.add_argument("prefix", nargs="*", help="only points that begin so")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    points = [one for one in Point if one.startswith(tuple(given.prefix) or "")]
    outcomes = asyncio.run(try_points(points * given.rounds, seed=given.seed))
    if given.json:
        text = json.dumps(
            [
                {
                    "point": one.point,
                    "load": one.load,
                    "deaths": one.deaths,
                    "recovered_s": one.recovered_s,
                    "problems": one.problems,
                }
                for one in outcomes
            ],
            indent=2,
        )
    else:
        text = table(outcomes)
    sys.stdout.write(text + "\n")
    killed = [one for one in outcomes if one.point is not None]
    raise SystemExit(any(one.problems or not one.deaths for one in killed))


if __name__ == "__main__":
    main()
