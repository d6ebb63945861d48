"""The table of grants: which subjects each identity may use. Everything else is denied.

No grant is a stream's administration, but that the router may delete a dead letter, and
none reads a stream by sequence or by subject for anyone but the router: such a read can
be told to answer on any subject, which would put a message of one's own into another's
mouth.
"""

from dataclasses import dataclass

from sympozium.contract.operate import DEAD_LETTERS, REPLIES
from sympozium.contract.subjects import (
    DEAD,
    FILES,
    INBOX,
    OUTBOX,
    RUNS,
    Consumer,
    context,
    dead,
    fetch,
    history,
    inbox,
    live,
    notes,
    outbox_consumer,
    reply_prefix,
    report,
    run_in,
    run_out,
)
from sympozium_controller.identity.who import (
    ChannelIdentity,
    Identity,
    OperatorIdentity,
    RouterIdentity,
    RunIdentity,
)

_READ_BY_ROUTER = (INBOX, OUTBOX, RUNS, FILES, DEAD)


@dataclass(frozen=True)
class Grants:
    """Subjects that one connection may publish to and subscribe to. Neither is ever empty."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def grants_of(identity: Identity) -> Grants:
    """Return what *identity* may do."""
    match identity:
        case RouterIdentity():
            return _router()
        case ChannelIdentity():
            return _channel(identity)
        case RunIdentity():
            return _run(identity)
        case OperatorIdentity():
            return _operator()


def _router() -> Grants:
    return Grants(
        publish=(
            "outbox.*.*",
            "runs.*.*.in",
            f"dead.{INBOX}.*.*",
            # Every consumer of INBOX is for routers: the line of each namespace, and the one
            # that all of them had in an earlier version.
            *(f"$JS.API.CONSUMER.{verb}.{INBOX}.*" for verb in ("MSG.NEXT", "INFO")),
            f"$JS.ACK.{INBOX}.*.>",
            f"$JS.API.CONSUMER.NAMES.{INBOX}",
            *(f"$JS.API.DIRECT.GET.{stream}" for stream in _READ_BY_ROUTER),
            *(f"$JS.API.DIRECT.GET.{stream}.>" for stream in _READ_BY_ROUTER),
            # Answers go to whoever may ask, and to no other subject.
            f"{reply_prefix('waiting')}.>",
            "_INBOX.channel.*.*.>",
            "_INBOX.run.*.*.>",
            f"{reply_prefix(*REPLIES)}.>",
            # It compares at a start how far OUTBOX is with what its store says.
            f"$JS.API.STREAM.INFO.{OUTBOX}",
            # It counts the dead letters, and deletes the one with which an operator is done.
            f"$JS.API.STREAM.INFO.{DEAD}",
            f"$JS.API.STREAM.MSG.DELETE.{DEAD}",
        ),
        subscribe=(
            f"{reply_prefix('router')}.>",
            *(f"{asked}.*.*" for asked in ("context", "history", "notes", "report", "fetch")),
            "waiting.*",
            DEAD_LETTERS,
        ),
    )


def _operator() -> Grants:
    return Grants(publish=(DEAD_LETTERS,), subscribe=(f"{reply_prefix(*REPLIES)}.>",))


def _channel(identity: ChannelIdentity) -> Grants:
    namespace, channel = identity.namespace, identity.channel
    consumer = outbox_consumer(namespace, channel)
    return Grants(
        publish=(
            inbox(namespace, channel),
            history(namespace, channel),
            notes(namespace, channel),
            report(namespace, channel),
            fetch(namespace, channel),
            _parts_of(namespace, channel),
            dead(INBOX, namespace, channel),
            dead(OUTBOX, namespace, channel),
            *_consuming(consumer),
        ),
        subscribe=(
            f"{reply_prefix('channel', namespace, channel)}.>",
            f"live.{namespace}.*",
        ),
    )


def _run(identity: RunIdentity) -> Grants:
    namespace, uid = identity.namespace, identity.uid
    return Grants(
        publish=(
            run_out(namespace, uid),
            live(namespace, uid),
            context(namespace, uid),
            fetch(namespace, uid),
            _parts_of(namespace, uid),
        ),
        subscribe=(
            f"{reply_prefix('run', namespace, uid)}.>",
            run_in(namespace, uid),
        ),
    )


def _parts_of(namespace: str, owner: str) -> str:
    """Return every subject that `file_part` gives for the files of *owner*."""
    return f"files.{namespace}.{owner}.*.*"


def _consuming(consumer: Consumer) -> tuple[str, ...]:
    stream, name = consumer.stream, consumer.name
    return (
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}",
        f"$JS.API.CONSUMER.INFO.{stream}.{name}",
        f"$JS.ACK.{stream}.{name}.>",
    )
