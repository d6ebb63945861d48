"""What came of many deaths, added up by point."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sympozium.runtime.sync_points import Point
from tests.fault.laboratory import Trial
from tests.fault.rounds import Round


@dataclass
class Tally:
    """Deaths, and what they cost.

    Attributes:
        problems: What was broken, with the round in which it was.
        last: The last round in a line.
    """

    deaths: Counter[Point] = field(default_factory=Counter)
    settled_s: dict[Point, list[float]] = field(default_factory=lambda: defaultdict(list))
    broken_at: Counter[Point] = field(default_factory=Counter)
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
        for point, moments in trial.deaths.items():
            self.deaths[point] += len(moments)
            self.broken_at[point] += bool(moments and trial.problems)
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
        rows = [
            f"`{command}`: {self.rounds} rounds, {self.kills} deaths, {self.restarts} restarts of "
            f"the bus; {self.broken} promises broken; {self.leftovers} posts left over.",
            "",
            "| point | deaths | all ends seen after, p50 | p99 | rounds broken |",
            "|---|---|---|---|---|",
        ]
        for point in Point:
            times = self.settled_s[point]
            shown = " | ".join(_seconds(times, share) for share in (0.5, 0.99))
            rows.append(
                f"| `{point.value}` | {self.deaths[point]} | {shown} | {self.broken_at[point]} |"
            )
        return "\n".join([*rows, "", *(f"* {problem}" for problem in self.problems)]).rstrip()


def _seconds(times: Sequence[float], share: float) -> str:
    if not times:
        return "-"
    if share == 0.5:
        return f"{statistics.median(times):.1f} s"
    ordered = sorted(times)
    return f"{ordered[min(len(ordered) - 1, int(len(ordered) * share))]:.1f} s"
