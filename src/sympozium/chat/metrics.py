"""What a channel counts, in the text form that Prometheus reads."""

from collections import Counter
from enum import StrEnum

from sympozium.runtime.metrics import text_of


class Counted(StrEnum):
    """Everything that is counted; the names are those of the metrics."""

    ENDS_SHOWN = "sympozium_channel_ends_shown_total"
    ENDS_DISCARDED = "sympozium_channel_ends_discarded_total"
    DEAD_LETTERS = "sympozium_channel_dead_letters_total"
    CALLS = "sympozium_channel_platform_calls_total"
    CALLS_REFUSED_BUSY = "sympozium_channel_platform_busy_total"
    CALLS_FAILED = "sympozium_channel_platform_failures_total"
    COSMETICS_SHED = "sympozium_channel_cosmetics_shed_total"


_HELP = {
    Counted.ENDS_SHOWN: "Answers and errors that a person can see.",
    Counted.ENDS_DISCARDED: "Answers and errors that the platform will never show.",
    Counted.DEAD_LETTERS: "Deliveries and events that were set aside as dead letters.",
    Counted.CALLS: "Calls of the platform for something visible.",
    Counted.CALLS_REFUSED_BUSY: "Calls that the platform answered by asking to wait.",
    Counted.CALLS_FAILED: "Calls that did not succeed for another reason.",
    Counted.COSMETICS_SHED: "Previews, signals and marks left out because there was no room.",
}

READY = "sympozium_channel_ready"
SILENT = "sympozium_channel_silent_seconds"
CLOCK_AHEAD = "sympozium_channel_clock_ahead_seconds"
_GAUGES = {
    READY: "1 while messages can come in, else 0.",
    SILENT: "Seconds since the platform's last sign of life.",
    CLOCK_AHEAD: "Seconds that the clock of this machine is ahead of the bus'.",
}


class Metrics:
    """Counts since the program started."""

    def __init__(self) -> None:
        self._counts: Counter[Counted] = Counter()

    def add(self, counted: Counted) -> None:
        """Count one."""
        self._counts[counted] += 1

    def value(self, counted: Counted) -> int:
        """Return how many there were."""
        return self._counts[counted]

    def as_text(self, *, gauges: dict[str, float]) -> str:
        """Return all counts, and *gauges* by their full names."""
        counts = [
            text_of(counted, "counter", _HELP[counted], [({}, self._counts[counted])])
            for counted in Counted
        ]
        now = [text_of(name, "gauge", _GAUGES[name], [({}, gauges[name])]) for name in gauges]
        return "".join([*counts, *now])
