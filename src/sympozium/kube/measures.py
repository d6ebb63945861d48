"""What is counted of requests to the API server, of copies of its objects, and of queues."""

from enum import StrEnum

from sympozium.runtime.metrics import Counter, Histogram, Metric


class Verb(StrEnum):
    """What was asked of the API server. A list is a GET."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


class Answer(StrEnum):
    """How it answered."""

    OK = "ok"
    REFUSED = "refused"
    """4xx: a conflict, a rule, a right that is missing, what is not there."""
    BUSY = "busy"
    """429: it asks to wait."""
    FAILED = "failed"
    """5xx, or none at all."""


class QueueName(StrEnum):
    """Whose keys wait to be worked on."""

    RUNS = "runs"
    CHANNELS = "channels"
    AGENTS = "agents"
    TENANTS = "tenants"
    RETENTION = "retention"
    INBOX = "inbox"
    OUTBOX = "outbox"
    OTHER = "other"


class Hitch(StrEnum):
    """Why a key is worked on again."""

    AWAY = "away"
    """Something that is needed does not answer, or asks to wait."""
    BUG = "bug"
    """Anything else: its traceback is in the log."""


REQUESTS = Counter(
    "sympozium_api_requests_total", "Requests to the API server.", verb=Verb, answer=Answer
)
REQUEST_TOOK = Histogram(
    "sympozium_api_request_seconds", "Time until the API server had answered.", verb=Verb
)
RELISTS = Counter(
    "sympozium_informer_lists_total",
    "How often objects were listed whole: at a start, or because a watch could not go on.",
)
RECONCILE_TOOK = Histogram(
    "sympozium_reconcile_seconds", "Time that work on one key took.", queue=QueueName
)
RECONCILE_FAILED = Counter(
    "sympozium_reconcile_failures_total",
    "How often work on a key failed and was put off.",
    queue=QueueName,
    hitch=Hitch,
)
METRICS: tuple[Metric, ...] = (
    REQUESTS,
    REQUEST_TOOK,
    RELISTS,
    RECONCILE_TOOK,
    RECONCILE_FAILED,
)


def answer_of(status: int) -> Answer:
    """Return what an HTTP status means here."""
    if status == 429:
        return Answer.BUSY
    if status >= 500:
        return Answer.FAILED
    return Answer.REFUSED if status >= 400 else Answer.OK
