"""Asking whoever answers, and again where the one that got the question may be dead.

Of several programs that answer, one gets each question. It may have been killed or
stopped with the question in hand, and nobody else hears of it.
"""

import asyncio

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from sympozium.bus.cancelled import ended
from sympozium.bus.ports import NoAnswerError

ASK_AGAIN_AFTER_S = 1.0
"""Much longer than an answer takes as a rule."""


async def first_answer(
    client: Client, subject: str, data: bytes, *, timeout_s: float, again_after_s: float
) -> bytes:
    """Return the first answer to a question that is asked every *again_after_s* seconds.

    Raises:
        NoAnswerError: There is none within *timeout_s*.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    asked: set[asyncio.Task[Msg | Exception]] = set()
    problem: Exception | None = None
    async with asyncio.TaskGroup() as group:
        while problem is None:
            left_s = deadline - loop.time()
            if left_s > 0:
                asked.add(group.create_task(_answer(client, subject, data, left_s)))
            done, asked = await asyncio.wait(
                asked,
                timeout=again_after_s if left_s > again_after_s else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for result in [task.result() for task in done]:
                if isinstance(result, Msg):
                    await ended(*asked)
                    return bytes(result.data)
                problem = result
        await ended(*asked)
    raise NoAnswerError(
        f"cannot get an answer on {subject!r}: {type(problem).__name__}"
    ) from problem


async def _answer(client: Client, subject: str, data: bytes, timeout_s: float) -> Msg | Exception:
    try:
        return await client.request(subject, data, timeout=timeout_s)
    except (nats.errors.Error, TimeoutError, OSError) as error:
        return error
