"""What the controller gives up."""

import asyncio

from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Delivery
from sympozium.bus.server import _controller_permissions
from sympozium.bus.settle import settle
from sympozium.bus.suspects import Suspects
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.names import RunUid
from sympozium.contract.subjects import RUNS, RUNS_CONSUMER, controller_mark, dead, run_out
from sympozium_controller.runs.marks import BusMarks
from tests.controller.test_grants import matches
from tests.dead.letters import letters_under


async def test_a_run_event_that_every_controller_dies_of_is_set_aside(bus: NatsBus) -> None:
    subject = run_out("team", RunUid("u-1"))
    await bus.publish(subject, b"fatal", message_id="1")
    await bus.publish(subject, b"good", message_id="2")
    handled, deaths, at_work = [], 0, asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        if delivery.data == b"fatal":
            at_work.set()
            await asyncio.Event().wait()
        handled.append(delivery.data)

    async with bus.consume(RUNS_CONSUMER) as deliveries:
        while not (kept := await letters_under(bus, dead(RUNS, "team", "u-1"))):
            delivery = await anext(deliveries)  # each time another controller
            suspects = Suspects(BusMarks(bus))
            at_work.clear()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(settle(delivery, handle, suspects=suspects))
                dying = group.create_task(at_work.wait())
                await asyncio.wait({task, dying}, return_when=asyncio.FIRST_COMPLETED)
                task.cancel()
                dying.cancel()
            deaths += at_work.is_set()
            if at_work.is_set():
                await delivery.retry(after_s=0)
    ((letter, data),) = kept
    assert (data, handled) == (b"fatal", [b"good"])
    assert MAX_ATTEMPTS - 1 <= deaths <= MAX_ATTEMPTS
    assert "the program ended" in letter.reason


async def test_marks_are_kept_read_and_forgotten(bus: NatsBus) -> None:
    marks = BusMarks(bus)
    await marks.keep({"tried:1": "1", "tried:2": "3"})
    assert await marks.read(["tried:1", "tried:2", "tried:9"]) == {"tried:1": "1", "tried:2": "3"}
    for text in ("", "1", ""):
        await marks.keep({"tried:1": text})
    assert await marks.read(["tried:1"]) == {}


def test_the_controller_may_write_its_marks_and_they_are_no_run_events() -> None:
    publish = _controller_permissions()["publish"]
    assert isinstance(publish, list)
    subject = controller_mark("tried:7")
    assert any(matches(pattern, subject) for pattern in publish)
    assert not matches(RUNS_CONSUMER.subject, subject)
