"""What is counted of the session store."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from sympozium.runtime.metrics import Counter, Histogram, Metric
from sympozium.store.ports import StoreRefusedError, StoreUnavailableError


class Operation(StrEnum):
    """What was asked of the store."""

    READ = "read"
    WRITE = "write"


class Failure(StrEnum):
    """Why it was not done."""

    UNAVAILABLE = "unavailable"
    """It is away, locked or full: what waits for it is not lost."""
    REFUSED = "refused"
    """It cannot hold the value."""


TOOK = Histogram(
    "sympozium_store_seconds", "Time that the session store took.", operation=Operation
)
FAILURES = Counter(
    "sympozium_store_failures_total", "What the session store did not do.", failure=Failure
)
METRICS: tuple[Metric, ...] = (TOOK, FAILURES)


@contextmanager
def measured(operation: Operation) -> Iterator[None]:
    """Measure the block, and count how it failed."""
    with TOOK.timed(operation):
        try:
            yield
        except StoreUnavailableError:
            FAILURES.add(Failure.UNAVAILABLE)
            raise
        except StoreRefusedError:
            FAILURES.add(Failure.REFUSED)
            raise
