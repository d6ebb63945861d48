"""How far durable consumers have come, and which there are."""

import json

from nats.aio.client import Client
from nats.js.api import ConsumerInfo
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from sympozium.bus.failures import asked_to
from sympozium.bus.ports import ConsumerState, NoConsumerError
from sympozium.contract.subjects import Consumer


async def read_state(stream: JetStreamContext, consumer: Consumer) -> ConsumerState:
    """Return how far a durable consumer has come.

    Raises:
        NoConsumerError: It is not there.
        BusUnavailableError: No answer in time.
    """
    about = f"read consumer {consumer.name!r} of {consumer.stream}"
    with asked_to(about):
        try:
            info = await stream.consumer_info(consumer.stream, consumer.name)
        except NotFoundError as error:
            raise NoConsumerError(f"cannot {about}: it is not there") from error
    return state_of(info)


def state_of(info: ConsumerInfo) -> ConsumerState:
    """Return what the server's description says of how far a consumer has come.

    Where nothing is in anybody's hands, all that was delivered is settled. The server's
    own mark may be older: of what lies before the place at which a consumer began, say.
    """
    delivered = info.delivered.stream_seq if info.delivered else 0
    settled = info.ack_floor.stream_seq if info.ack_floor else 0
    return ConsumerState(settled if info.num_ack_pending else max(settled, delivered), delivered)


async def consumer_names(client: Client, stream: str, timeout_s: float) -> list[str]:
    """Return the names of the durable consumers of *stream*.

    They are asked for page by page: a bus may hold thousands.

    Raises:
        BusUnavailableError: The bus does not answer, or refuses.
    """
    names: list[str] = []
    while True:
        asked = json.dumps({"offset": len(names)}).encode()
        with asked_to(f"list the readers of {stream}"):
            answer = await client.request(
                f"$JS.API.CONSUMER.NAMES.{stream}", asked, timeout=timeout_s
            )
        page = json.loads(answer.data)
        found = page.get("consumers") or []
        names += found
        if not found or len(names) >= page.get("total", 0):
            return names
