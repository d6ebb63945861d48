"""Keeping dead letters on the bus, and removing one when a person is done with it."""

from nats.aio.client import Client
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from sympozium.bus.failures import asked_to
from sympozium.contract.dead_letters import DeadLetter, headers_of
from sympozium.contract.subjects import DEAD

_ROOM_FOR_THE_REST = 64
"""Bytes of a message beside its data, its subject and what is written of each header."""

_IS_GONE = "no message found"
"""Deleting has one error code for every cause. Source: server/store.go of nats-server."""


async def bury(client: Client, stream: JetStreamContext, letter: DeadLetter, data: bytes) -> None:
    """Keep *data* among the dead letters, or its beginning; see `Bus.bury`."""
    headers = {"Nats-Msg-Id": letter.id, **headers_of(letter)}
    room = client.max_payload - _ROOM_FOR_THE_REST
    room -= sum(len(name) + len(text) + 4 for name, text in headers.items())
    with asked_to(f"keep a dead letter of {letter.stream}"):
        await stream.publish(letter.kept_under, data[:room], headers=headers)


async def unbury(stream: JetStreamContext, sequence: int) -> None:
    """Remove the dead letter at *sequence* for good. That there is none is success.

    Raises:
        BusUnavailableError: No answer in time, or this identity may not.
    """
    with asked_to(f"remove dead letter {sequence}"):
        try:
            await stream.delete_msg(DEAD, sequence)
        except NotFoundError:
            pass
        except APIError as error:
            if _IS_GONE not in (error.description or ""):
                raise


async def counts(stream: JetStreamContext) -> dict[str, int]:
    """Return how many dead letters there are, by the subject they are kept under.

    Raises:
        BusUnavailableError: No answer in time, or this identity may not.
    """
    with asked_to("count the dead letters"):
        info = await stream.stream_info(DEAD, subjects_filter="dead.>")
    return dict(info.state.subjects or {})
