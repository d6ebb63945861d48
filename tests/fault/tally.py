"""What came of many deaths, added up by point."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sympozium.contract.reasons import Reason
from sympozium.runtime.sync_points import Point
from tests.fault.laboratory import Trial
from tests.fault.ledger import Breach
from tests.fault.rounds import Round
from tests.fault.verdict import ANSWERED, SAID, TAKEN_BACK, WISHED

OUTCOMES: dict[str, Sequence[str]] = {
    "said": (SAID,),
    "answered": (ANSWERED,),
    "stopped": (*WISHED, TAKEN_BACK),
    "error told": sorted(set(Reason) - WISHED),
    "lost": (Breach.LOST,),
    "twice": (Breach.DOUBLED,),
    "elsewhere": (Breach.MISPLACED,),
    "out of order": (Breach.DISORDERED,),
    "silent": (Breach.SILENT, Breach.STUCK, Breach.UNEXPLAINED),
}
"""What may come of what is said, and what may not."""


@dataclass
class Tally:
    """Deaths, and what they cost.

    Attributes:
        came: What came of the rounds in which somebody died at a point: how much was said, how
            often it ended how, and how often which promise was broken.
        fates: How much was said in all rounds, and how often it ended how.
        problems: What was broken, with the round in which it was.
        last: The last round in a line.
    """

    deaths: Counter[Point] = field(default_factory=Counter)
    settled_s: dict[Point, list[float]] = field(default_factory=lambda: defaultdict(list))
    came: dict[Point, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    fates: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    rounds: int = 0
    leftovers: int = 0
    problems: list[str] = field(default_factory=list)
    last: str = ""

    @property
    def kills(self) -> int:
        """Return how many processes died at a point."""
        return self.deaths.total()

    @property
    def broken(self) -> int:
        """Return how many promises were broken."""
        return len(self.problems)

    def below(self, each: int) -> list[Point]:
        """Return the points at which fewer than *each* died."""
        return [point for point in Point if self.deaths[point] < each]

    def add(self, one: Round, trial: Trial, restarts: Sequence[datetime]) -> None:
        """Note what came of a round."""
        self.rounds += 1
        self.restarts += len(restarts)
        self.leftovers += trial.leftovers
        self.fates += trial.fates
        for point, moments in trial.deaths.items():
            self.deaths[point] += len(moments)
            if moments:
                self.came[point] += trial.fates + Counter(one.breach for one in trial.broken)
            for moment in moments:
                end = trial.ended if moment <= trial.ended else trial.over
                self.settled_s[point].append((end - moment).total_seconds())
        self.problems += [f"{one}: {problem}" for problem in trial.problems]
        took_s = (trial.ended - trial.since).total_seconds()
        verdict = "; ".join(trial.problems) or "kept"
        died = sum(bool(moments) for moments in trial.deaths.values())
        self.last = (
            f"round {one.number} {one.kind} {one.platform}: {died} of {len(one.points)} points, "
        )
        self.last += f"{took_s:.1f} s, {verdict}"

    def table(self, command: str) -> str:
        """Return what came of everything, as Markdown."""
        ends = ", ".join(f"{self.fates[name]} {name}" for name in sorted(self.fates))
        rows = [
            f"`{command}`: {self.rounds} rounds, {self.kills} deaths, {self.restarts} restarts of "
            f"the bus; {ends}; {self.broken} promises broken; {self.leftovers} posts left over.",
            "",
            f"| point | deaths | {' | '.join(OUTCOMES)} | all ends seen after, p50 | p99 |",
            "|---" * (4 + len(OUTCOMES)) + "|",
            *(self._row(point) for point in Point),
        ]
        return "\n".join([*rows, "", *(f"* {problem}" for problem in self.problems)]).rstrip()

    def _row(self, point: Point) -> str:
        came, times = self.came[point], self.settled_s[point]
        outcomes = [sum(came[name] for name in names) for names in OUTCOMES.values()]
        shown = [_seconds(times, share) for share in (0.5, 0.99)]
        cells = [f"`{point.value}`", self.deaths[point], *outcomes, *shown]
        return f"| {' | '.join(map(str, cells))} |"


def _seconds(times: Sequence[float], share: float) -> str:
    if not times:
        return "-"
    if share == 0.5:
        return f"{statistics.median(times):.1f} s"
    ordered = sorted(times)
    return f"{ordered[min(len(ordered) - 1, int(len(ordered) * share))]:.1f} s"
