"""Making and taking away the lines in which the messages of namespaces wait in INBOX.

Each namespace has a durable consumer of its own. Where it has come to is the only
record of which messages are settled and leave no row, so it must not be lost while
INBOX holds any: what was settled would all come once more. Hence a line goes only
when nothing of its namespace is left there, and one that is made on a bus which an
earlier version has used begins where that had come to.
"""

from nats.aio.client import Client
from nats.js.api import ConsumerInfo, DeliverPolicy
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from sympozium.bus.admin import REQUEST_TIMEOUT_S, config_of
from sympozium.bus.failures import asked_to
from sympozium.bus.states import consumer_names, state_of
from sympozium.contract.subjects import (
    EARLIER_INBOX_CONSUMER,
    INBOX,
    Consumer,
    inbox_consumer,
    namespace_of_line,
)


async def ensure_line(client: Client, namespace: str) -> None:
    """Make the line of *namespace* be there, and be as declared. Doing it again is no harm.

    It begins behind what the line of all namespaces has settled, where there is one, and
    else with the oldest message. One that has been left behind by that line (an earlier
    version was at work since) is made anew.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses; try again.
    """
    line = inbox_consumer(namespace)
    jetstream = client.jetstream()
    with asked_to(f"make consumer {line.name}"):
        earlier = await _info(jetstream, EARLIER_INBOX_CONSUMER)
        settled = state_of(earlier).acknowledged if earlier else 0
        known = await _info(jetstream, line)
        if known is not None and _is_left_behind(known, settled):
            await jetstream.delete_consumer(INBOX, line.name)
            known = None
        if known is None:
            begin = DeliverPolicy.BY_START_SEQUENCE if settled else DeliverPolicy.ALL
            config = config_of(line).evolve(
                deliver_policy=begin, opt_start_seq=settled + 1 if settled else None
            )
            await jetstream.add_consumer(INBOX, config)
        elif not _is_as_declared(known, line):
            bounds = {"ack_wait": line.ack_wait_s, "max_ack_pending": line.max_ack_pending}
            await jetstream.add_consumer(INBOX, known.config.evolve(**bounds))


async def lines(client: Client) -> list[str]:
    """Return the namespaces that have a line.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    names = await consumer_names(client, INBOX, REQUEST_TIMEOUT_S)
    return [namespace for name in names if (namespace := namespace_of_line(name))]


async def delete_empty_line(client: Client, namespace: str) -> bool:
    """Delete the line of *namespace* if INBOX holds nothing of it; return whether it did.

    What comes after the look, and before there is a line again, is in INBOX, with which a
    new line begins. That there is no line is success.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    line = inbox_consumer(namespace)
    jetstream = client.jetstream(timeout=REQUEST_TIMEOUT_S)
    with asked_to(f"delete consumer {line.name}"):
        held = await jetstream.stream_info(INBOX, subjects_filter=line.subject)
        if held.state.subjects:
            return False
        try:
            await jetstream.delete_consumer(INBOX, line.name)
        except NotFoundError:
            return False
    return True


async def _info(jetstream: JetStreamContext, consumer: Consumer) -> ConsumerInfo | None:
    try:
        info: ConsumerInfo = await jetstream.consumer_info(consumer.stream, consumer.name)
    except NotFoundError:
        return None
    return info


def _is_left_behind(line: ConsumerInfo, settled: int) -> bool:
    """Return whether another line has settled what this one was never asked for."""
    is_idle = bool(line.num_pending) and not line.num_ack_pending
    return is_idle and state_of(line).delivered < settled


def _is_as_declared(known: ConsumerInfo, line: Consumer) -> bool:
    config = known.config
    return (config.ack_wait, config.max_ack_pending) == (line.ack_wait_s, line.max_ack_pending)
