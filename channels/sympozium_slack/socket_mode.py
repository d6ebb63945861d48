"""Socket Mode: two connections side by side, each renewed before it ends.

Slack ends every connection now and then, and gives each event to one of those that
are open. One that is renewed after it was closed leaves a gap each time. So its
successor is opened when the end is announced, and a second one is open beside it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from sympozium.contract.errors import PermanentError
from sympozium_slack.api import Api
from sympozium_slack.link import Link, SetAside, TakeEnvelope

SOCKETS = 2
"""Connections at the same time. Slack allows ten for an app."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
REFUSED_PAUSE_S = 60.0
"""Pause after Slack refused the app: a person must act, and may do it at Slack's side."""

SHORT_LIFE_S = 10.0
"""A connection that ends sooner is no renewal; the next one waits, longer each time."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signs:
    """Who is told how the inbound path is.

    Attributes:
        up: A sign of life.
        down: Nothing is open: why, and one word for it.
        opened: A connection is open after there was none.
    """

    up: Callable[[], None]
    down: Callable[[str, str], None]
    opened: Callable[[], None]


class Sockets:
    """All connections of one app."""

    def __init__(self, api: Api, take: TakeEnvelope, set_aside: SetAside, signs: Signs) -> None:
        self._api = api
        self._take = take
        self._set_aside = set_aside
        self._signs = signs
        self._open = 0

    async def listen_loop(self, stop: asyncio.Event) -> None:
        """Keep the connections open until *stop* is set; then finish what is in hand."""
        async with asyncio.TaskGroup() as links:
            keepers = [links.create_task(self._keep(links, stop)) for _ in range(SOCKETS)]
            await stop.wait()
            for keeper in keepers:
                keeper.cancel()

    async def _keep(self, links: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        """Keep one connection open: a new one as soon as the last is about to end."""
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            link, begun_at = Link(self._api, self._take, self._set_aside), loop.time()
            links.create_task(self._live(link, stop))
            await link.leaving.wait()
            if loop.time() - begun_at > SHORT_LIFE_S:
                pause_s = FIRST_PAUSE_S
                if link.error is None:
                    continue
            is_refused = isinstance(link.error, PermanentError)
            await asyncio.sleep(REFUSED_PAUSE_S if is_refused else pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def _live(self, link: Link, stop: asyncio.Event) -> None:
        await link.live(stop, on_hello=self._opened, on_life=self._signs.up)
        if link.greeted.is_set():
            self._open -= 1
        if link.error is not None:
            log.warning("socket ended", extra={"action": "renew", "cause": str(link.error)})
        if not self._open and not stop.is_set():
            cause = str(link.error or "no connection to Slack is open")
            self._signs.down(cause, getattr(link.error, "reason", "Disconnected"))

    def _opened(self) -> None:
        self._open += 1
        self._signs.up()
        if self._open == 1:
            self._signs.opened()
