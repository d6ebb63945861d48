"""How many calls a platform takes in a time, counted so that it counts no more than we do.

A call arrives at the platform at some moment between its start and its answer. A
window therefore holds a call from its start until its whole length after its answer:
whatever the network does, the platform never sees more calls in any window than it
allows. And a full window is used again the moment the platform would.
"""

from dataclasses import dataclass, field

from sympozium.chat.capabilities import Rate

MAX_TRANSIT_S = 3.0
"""A request that was sent so long ago has arrived; a slow upload does not hold its chat longer."""

SLOWER = 1.5
SLOWEST = 8.0
FASTER = 0.05
"""What one call that was taken gives back of the slowness."""

IDLE_AFTER_S = 120.0


@dataclass(eq=False)
class Call:
    """One call, from its start on.

    Attributes:
        slowness: By how much longer than the platform says it counts.
    """

    started_at: float
    slowness: float = 1.0
    ended_at: float | None = None

    def counts_until(self, rate: Rate) -> float:
        """Return when it leaves a window."""
        return self.arrived_by() + rate.per_s * self.slowness

    def arrived_by(self) -> float:
        """Return when it has reached the platform at the latest."""
        latest = self.started_at + MAX_TRANSIT_S
        return latest if self.ended_at is None else min(self.ended_at, latest)


@dataclass
class Pace:
    """What may be sent to one chat, or by the bot in all: rates, penalties, and what was learned.

    Attributes:
        closed_until: The end of a penalty, on the loop's clock.
        slowness: By how much longer than the platform says a call counts; it grows when
            the platform refuses although we kept to what it says. Calls made before are
            not stretched: the platform has said when they are forgotten.
    """

    rates: tuple[Rate, ...]
    closed_until: float = 0.0
    slowness: float = 1.0
    used_at: float = 0.0
    calls: list[Call] = field(default_factory=list)

    def room_at(self, now: float, *, is_spare: bool = False) -> float:
        """Return when the next call may start; *now* or earlier: at once.

        Args:
            now: On the loop's clock.
            is_spare: Leave a quarter of every window, at least one call of several, for what
                is more important: a quick answer must not wait for a reaction.
        """
        due = self.closed_until
        for rate in self.rates:
            allowed = rate.count - (_reserve(rate) if is_spare else 0)
            if len(self.calls) >= allowed:
                free_at = sorted(call.counts_until(rate) for call in self.calls)
                due = max(due, free_at[-allowed])
        return due

    def start(self, now: float) -> Call:
        """Count a call that starts now."""
        self.calls = [
            call for call in self.calls if call.ended_at is None or self._counts(call, now)
        ]
        call = Call(now, self.slowness)
        self.calls.append(call)
        self.used_at = now
        return call

    def close(self, now: float, until: float) -> None:
        """Note a penalty: nothing may start before *until*, and less often afterwards.

        Of many calls that were under way together each hears of the same penalty; it
        makes us slower once.
        """
        if now >= self.closed_until:
            self.slowness = min(self.slowness * SLOWER, SLOWEST)
        self.closed_until = max(self.closed_until, until)

    def taken(self) -> None:
        """Note that the platform took a call."""
        self.slowness = max(1.0, self.slowness - FASTER)

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is lost by forgetting it."""
        return (
            now > self.closed_until
            and now > self.used_at + IDLE_AFTER_S
            and not any(call.ended_at is None or self._counts(call, now) for call in self.calls)
        )

    def _counts(self, call: Call, now: float) -> bool:
        return any(call.counts_until(rate) > now for rate in self.rates)


def _reserve(rate: Rate) -> int:
    return max(rate.count // 4, 1) if rate.count > 1 else 0
