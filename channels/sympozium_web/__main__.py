"""The program `python -m sympozium_web`: reads its settings, puts the parts together, runs them."""

import asyncio
import logging

from sympozium.bus.clock import ClockWatch, of_consumer
from sympozium.bus.nats import connect
from sympozium.bus.suspects import Suspects
from sympozium.chat.desk import Desk
from sympozium.contract.subjects import outbox_consumer
from sympozium.runtime.logs import redact
from sympozium.runtime.long_lived import settle_in
from sympozium.runtime.loops import Loop, run_until_stopped, stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_web.audience import Audience
from sympozium_web.connection import HttpServer, bind
from sympozium_web.gate import gate_for
from sympozium_web.health import Health
from sympozium_web.inbound import Inbound
from sympozium_web.live_runs import live_runs
from sympozium_web.outbound import Outbound
from sympozium_web.routes import build_app, build_health_app
from sympozium_web.settings import Settings, read_settings
from sympozium_web.stream import EventStream
from sympozium_web.transcript import Transcript

PROGRAM = "channel-web"
DRAIN_S = 4.0

log = logging.getLogger(__name__)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve one web channel until *stop* is set."""
    bound = bind(settings.host, settings.port)
    audience = Audience()
    async with (
        connect(settings.bus) as bus,
        live_runs(bus, settings.namespace, audience) as runs,
    ):
        health = Health(lambda: bus.is_connected)
        transcript = Transcript(bus, settings.namespace, settings.channel)
        consumer = outbox_consumer(settings.namespace, settings.channel)
        suspects = Suspects(Desk(bus, settings.namespace, settings.channel))
        app = build_app(
            gate_for(settings.port, settings.allowed_hosts, settings.token),
            health,
            Inbound(bus, settings.namespace, settings.channel, audience, health),
            transcript,
            EventStream(audience, transcript, runs),
        )
        outbound = Outbound(bus, consumer, audience, runs, suspects)
        loops: list[Loop] = [
            HttpServer(app, bound, audience).serve_loop,
            outbound.outbox_loop,
            outbound.queued_loop,
            bus.stay_connected,
            ClockWatch(bus, of_consumer(consumer)).run,
        ]
        if settings.health_port:
            health_bound = bind(settings.host, settings.health_port)
            loops.append(HttpServer(build_health_app(health), health_bound, Audience()).serve_loop)
        log.info("channel is up", extra={"action": "start", "port": settings.port})
        await run_until_stopped(*loops, stop=stop, drain_s=DRAIN_S)


async def main() -> None:
    """Read the settings and serve until SIGTERM or SIGINT."""
    settle_in()
    settings = read_settings()
    redact(settings.token)
    logging.getLogger().setLevel(settings.log_level)
    await serve(settings, stop_on_signals())


if __name__ == "__main__":
    run_program(PROGRAM, main)
