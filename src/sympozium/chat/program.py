"""What every chat channel runs: the bus, the outbox, health, and the platform's own loops."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

from sympozium.bus.clock import ClockWatch, of_consumer
from sympozium.bus.nats import NatsBus, connect
from sympozium.chat.desk import Desk
from sympozium.chat.files import Files
from sympozium.chat.health import Health, bind
from sympozium.chat.intake import Intake
from sympozium.chat.office import Office
from sympozium.chat.outbox.outbound import Outbound
from sympozium.chat.outbox.reactions import Marks
from sympozium.chat.platform import Platform
from sympozium.chat.settings import ChannelSettings
from sympozium.contract.subjects import outbox_consumer
from sympozium.runtime.loops import Loop, run_until_stopped

__all__ = ["Make", "Office", "Parts", "serve_channel"]

DRAIN_S = 4.0
"""How long what is in hand may take after SIGTERM; the bus brings the rest again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """What a channel makes of it.

    Attributes:
        loops: The inbound loops.
    """

    platform: Platform
    loops: tuple[Loop, ...]


Make = Callable[[Office], AbstractAsyncContextManager[Parts]]
"""Opens the connection to the platform and closes it when the block is left."""


async def serve_channel(settings: ChannelSettings, stop: asyncio.Event, make: Make) -> None:
    """Serve one channel until *stop* is set.

    Raises:
        PermanentError: It cannot be served as it is set up; a person must act.
        BusUnavailableError: The bus does not accept this channel.
    """
    bound = bind(settings.health_port) if settings.health_port else None
    async with connect(settings.bus) as bus:
        office = _office(settings, bus)
        async with make(office) as parts:
            outbound = Outbound(office, parts.platform)
            consumer = outbox_consumer(settings.namespace, settings.channel)
            clock = ClockWatch(bus, of_consumer(consumer), tell=office.health.clock_is_ahead)
            loops: list[Loop] = [*parts.loops, *outbound.loops, bus.stay_connected, clock.run]
            if bound is not None:
                loops.append(partial(office.health.serve_loop, bound))
            log.info("channel is up", extra={"action": "start", "channel": settings.channel})
            await run_until_stopped(*loops, stop=stop, drain_s=DRAIN_S)


def _office(settings: ChannelSettings, bus: NatsBus) -> Office:
    names = (settings.namespace, settings.channel)
    return Office(
        settings=settings,
        bus=bus,
        intake=Intake(bus, *names),
        desk=Desk(bus, *names),
        files=Files(bus, bus, *names),
        health=Health(lambda: bus.is_connected),
        marks=Marks(),
    )
