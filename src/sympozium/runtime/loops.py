"""Running a program's loops until it is told to stop, and stopping within a deadline.

And doing again what a loop begins with, until everything that it needs is there.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sympozium.contract.errors import TransientError

T = TypeVar("T")

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""Takes the stop event and returns after the item in its hands, and no earlier."""


class LoopEndedEarlyError(RuntimeError):
    """A loop returned although nobody asked it to: a bug, and the program must not go on."""


class StillBusyError(TimeoutError):
    """A loop had something in hand at the drain deadline. What was begun is done again later."""


async def run_until_stopped(*loops: Loop, stop: asyncio.Event, drain_s: float) -> None:
    """Run *loops* side by side until *stop* is set, then give them *drain_s* seconds.

    Raises:
        StillBusyError: A loop was still busy at the drain deadline; it has been cancelled.
        ExceptionGroup: A loop failed or ended early; the others have been cancelled.
    """
    deadline = asyncio.timeout(None)
    tasks: dict[str, asyncio.Task[None]] = {}
    try:
        async with deadline, asyncio.TaskGroup() as group:
            tasks = {_name(loop): group.create_task(_until_stopped(loop, stop)) for loop in loops}
            await stop.wait()
            deadline.reschedule(asyncio.get_running_loop().time() + drain_s)
    except TimeoutError:
        busy = sorted(name for name, task in tasks.items() if task.cancelled())
        raise StillBusyError(f"{', '.join(busy)}: not done after {drain_s:g} s") from None


async def _until_stopped(loop: Loop, stop: asyncio.Event) -> None:
    await loop(stop)
    if not stop.is_set():
        raise LoopEndedEarlyError(f"loop {_name(loop)!r} ended early")


def _name(loop: Loop) -> str:
    function = getattr(loop, "func", loop)  # what a partial calls, without what it was given
    return str(getattr(function, "__qualname__", type(function).__name__))


async def until_any(*events: asyncio.Event) -> None:
    """Return as soon as one of the events is set."""
    await pause(None, *events)


async def pause(seconds: float | None, *until: asyncio.Event) -> None:
    """Return after so many seconds (None: never), or as soon as one of the events is set."""
    async with asyncio.TaskGroup() as group:
        waiting = {group.create_task(_is_set(event)) for event in until}
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()


async def _is_set(event: asyncio.Event) -> None:
    await event.wait()


async def until_there(
    step: Callable[[], Awaitable[T]], *, retry_s: float, told: Callable[[TransientError], None]
) -> T:
    """Return what *step* returns, done again after *retry_s* seconds while something is away.

    *told* is called each time with what it was.

    Raises:
        Exception: What *step* raised, unless it was a `TransientError`.
    """
    while True:
        try:
            return await step()
        except TransientError as error:
            told(error)
            await asyncio.sleep(retry_s)


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, as the kubelet and a terminal send them."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
