"""Every subject, stream and durable consumer on the bus, and who may use it.

A program builds subjects with these functions and never by hand, so that the
grants in the bus identity and the traffic cannot drift apart.
"""

from dataclasses import dataclass, field

from sympozium.contract.errors import PermanentError
from sympozium.contract.limits import DEAD_MAX_BYTES, FILES_MAX_BYTES, STREAM_MAX_BYTES
from sympozium.contract.names import RunUid, is_subject_token

INBOX = "INBOX"
OUTBOX = "OUTBOX"
RUNS = "RUNS"
FILES = "FILES"
DEAD = "DEAD"

LINE_PREFIX = "router_"
"""Begins the name of every durable consumer of INBOX that is the line of one namespace."""

CONTROLLER_RUNS = "controller"
"""Durable consumer of RUNS, shared by all controllers."""

ROUTER_GROUP = "router"
"""Queue group in which routers answer requests, so that one of them does."""

OUTBOX_MAX_PENDING = 8192
"""Deliveries in one channel's hands: so many may wait for one chat before others wait too."""

INBOX_MAX_PENDING = 256
"""Deliveries of one namespace in the hands of all routers together."""

SHARED_ACK_WAIT_S = 1.5
"""How soon what a killed or stopped program held comes to another one that reads beside it."""

CHANNEL_CONSUMER_PREFIX = "channel_"
"""Begins the name of every durable consumer of OUTBOX that belongs to a channel."""


@dataclass(frozen=True)
class Stream:
    """One durable stream: what it stores, and what it does when it is full.

    Attributes:
        refuses_when_full: True: a publish fails; False: the oldest message goes.
    """

    name: str
    subjects: tuple[str, ...]
    max_bytes: int
    refuses_when_full: bool = False


@dataclass(frozen=True)
class Consumer:
    """One durable pull consumer with explicit acknowledgement.

    Attributes:
        subject: The single filter; one filter can be pinned by a permission.
        ack_wait_s: Time to redelivery. Whoever holds a message starts it anew by itself.
    """

    stream: str
    name: str
    subject: str
    ack_wait_s: float = 30.0
    max_ack_pending: int = field(default=1024)


STREAMS = (
    Stream(INBOX, ("inbox.>",), STREAM_MAX_BYTES, refuses_when_full=True),
    Stream(OUTBOX, ("outbox.>",), STREAM_MAX_BYTES),
    Stream(RUNS, ("runs.>",), STREAM_MAX_BYTES),
    Stream(FILES, ("files.>",), FILES_MAX_BYTES),
    Stream(DEAD, ("dead.>",), DEAD_MAX_BYTES),
)


def inbox(namespace: str, channel: str) -> str:
    """Subject on which one channel hands in what people wrote."""
    return _subject("inbox", namespace, channel)


def outbox(namespace: str, channel: str) -> str:
    """Subject on which one channel is told what to show."""
    return _subject("outbox", namespace, channel)


def run_out(namespace: str, uid: RunUid) -> str:
    """Subject on which one run's bridge records what the run did."""
    return _subject("runs", namespace, uid, "out")


def run_in(namespace: str, uid: RunUid) -> str:
    """Subject on which one run is told something while it is active."""
    return _subject("runs", namespace, uid, "in")


def controller_mark(key: str) -> str:
    """Subject of RUNS on which the controller notes *key*, as `<what>:<sequence>`."""
    return _subject("runs", "marks", *key.split(":"))


def live(namespace: str, uid: RunUid) -> str:
    """Subject of one run's live tokens: core NATS, nobody's record."""
    return _subject("live", namespace, uid)


def context(namespace: str, uid: RunUid) -> str:
    """Subject on which one run's bridge asks for its task and history."""
    return _subject("context", namespace, uid)


def history(namespace: str, channel: str) -> str:
    """Subject on which one channel asks for the transcript of one of its conversations."""
    return _subject("history", namespace, channel)


def notes(namespace: str, channel: str) -> str:
    """Subject on which one channel keeps and reads its notes; see `contract.desk`."""
    return _subject("notes", namespace, channel)


def report(namespace: str, channel: str) -> str:
    """Subject on which one channel says how it stands with its platform."""
    return _subject("report", namespace, channel)


def waiting(namespace: str) -> str:
    """Subject on which the controller asks whose end is not published; see `contract.waiting`."""
    return _subject("waiting", namespace)


def waiting_answer(token: str) -> str:
    """Subject on which one such question is answered; nothing else is ever heard there."""
    return f"{reply_prefix('waiting')}.{_subject(token)}"


def queued(namespace: str, channel: str) -> str:
    """Subject on which routers tell one channel who waits; see `contract.queued`.

    It is among the channel's own inboxes, in which only routers say anything.
    """
    return f"{reply_prefix('channel', namespace, channel)}.queued"


def file_part(namespace: str, owner: str, file_id: str, part: int) -> str:
    """Subject of one part of a file, from 0. *owner* is a channel's name or a run's uid."""
    return _subject("files", namespace, owner, file_id, str(part))


def fetch(namespace: str, reader: str) -> str:
    """Subject on which a channel (by its name) or a run (by its uid) asks for a part of a file."""
    return _subject("fetch", namespace, reader)


def dead(stream: str, namespace: str, name: str) -> str:
    """Subject under which an undeliverable message of *stream* is kept."""
    return _subject("dead", stream, namespace, name)


def reply_prefix(*identity: str) -> str:
    """Prefix of the inboxes in which one identity receives answers; nobody else may listen there.

    `reply_prefix("router")`, `reply_prefix("channel", namespace, name)`,
    `reply_prefix("run", namespace, uid)`.
    """
    return "_INBOX." + _subject(*identity)


def inbox_consumer(namespace: str) -> Consumer:
    """Return the line of one namespace: the durable consumer from which all routers read it.

    What one namespace says is never in the way of another's.
    """
    subject = f"{_subject('inbox', namespace)}.>"
    name = f"{LINE_PREFIX}{namespace}"
    return Consumer(INBOX, name, subject, SHARED_ACK_WAIT_S, INBOX_MAX_PENDING)


def namespace_of_line(name: str) -> str:
    """Return whose line the consumer of a name is; empty: it is none."""
    return name.removeprefix(LINE_PREFIX) if name.startswith(LINE_PREFIX) else ""


def outbox_consumer(namespace: str, channel: str) -> Consumer:
    """Return the durable consumer from which one channel reads its OUTBOX."""
    name = f"{CHANNEL_CONSUMER_PREFIX}{namespace}_{channel}"
    subject = outbox(namespace, channel)
    return Consumer(OUTBOX, name, subject, max_ack_pending=OUTBOX_MAX_PENDING)


EARLIER_INBOX_CONSUMER = Consumer(INBOX, "router", "inbox.>", SHARED_ACK_WAIT_S)
"""The one line of all namespaces in which earlier routers read; nobody makes it any more."""

RUNS_CONSUMER = Consumer(RUNS, CONTROLLER_RUNS, "runs.*.*.out", SHARED_ACK_WAIT_S)


def channel_of(subject: str) -> tuple[str, str]:
    """Return (namespace, channel) of an INBOX, OUTBOX or history subject.

    Raises:
        PermanentError: *subject* does not have three tokens.
    """
    tokens = subject.split(".")
    if len(tokens) != 3:
        raise PermanentError(f"cannot read subject {subject!r}: it needs three tokens")
    return tokens[1], tokens[2]


def run_of(subject: str) -> tuple[str, RunUid]:
    """Return (namespace, run uid) of a RUNS, live or context subject.

    Raises:
        PermanentError: *subject* has fewer than three tokens.
    """
    tokens = subject.split(".")
    if len(tokens) < 3:
        raise PermanentError(f"cannot read subject {subject!r}: it needs three tokens or more")
    return tokens[1], RunUid(tokens[2])


def _subject(*tokens: str) -> str:
    for token in tokens:
        if not is_subject_token(token):
            raise PermanentError(
                f"cannot build a bus subject with {token!r}: "
                "only letters, digits, '-' and '_' may stand between dots; rename the object"
            )
    return ".".join(tokens)
