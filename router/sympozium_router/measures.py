"""What is counted of messages on their way through the router."""

from enum import StrEnum

from sympozium.contract.messages import OutboundKind
from sympozium.contract.reasons import Reason
from sympozium.runtime.metrics import Counter, Gauge, Histogram, Metric


class Settled(StrEnum):
    """What became of a message from INBOX."""

    HANDLED = "handled"
    """What it needs is durable: a run, an answer, a change; or it was not for the bot."""
    SET_ASIDE = "set-aside"
    """It was given up, and is a dead letter."""


SETTLED = Counter(
    "sympozium_router_settled_total", "Messages of INBOX that were acknowledged.", outcome=Settled
)
HELD = Gauge("sympozium_router_messages_held", "Messages of INBOX that this router works on.")
OLDEST = Gauge(
    "sympozium_router_oldest_held_seconds", "How long the oldest of them has been worked on."
)
RUN_MADE = Histogram(
    "sympozium_router_run_create_seconds", "Time until the API server had a message's AgentRun."
)
ENDS = Counter(
    "sympozium_router_ends_total",
    "Messages by what people were told at last; reason: why there is no answer.",
    kind=OutboundKind,
    reason=Reason,
)
PUBLISHED = Counter(
    "sympozium_router_outbox_published_total", "What was put into OUTBOX.", kind=OutboundKind
)
METRICS: tuple[Metric, ...] = (SETTLED, HELD, OLDEST, RUN_MADE, ENDS, PUBLISHED)


def reason_of(code: str) -> Reason:
    """Return *code* as one of the reasons that there are."""
    return Reason(code) if code in set(Reason) else Reason.INTERNAL
