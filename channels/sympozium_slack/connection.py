"""The channel's connection to Slack: who we are there, and what comes in by either transport."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from sympozium.chat.errors import AccountRefusedError
from sympozium.chat.program import Office, Parts
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.runtime.listening import bind
from sympozium.runtime.loops import Loop, pause, run_until_stopped
from sympozium_slack.addresses import Addresses
from sympozium_slack.api import Answer, Api, open_session
from sympozium_slack.events import Envelope
from sympozium_slack.http_mode import HttpMode
from sympozium_slack.inbound import Inbound
from sympozium_slack.outbound import SlackPlatform
from sympozium_slack.reading import Me
from sympozium_slack.response_urls import ResponseUrls
from sympozium_slack.settings import Settings
from sympozium_slack.signature import Signatures
from sympozium_slack.socket_mode import Signs, Sockets

DRAIN_S = 3.0
LOOK_EVERY_S = 20.0
"""How often is asked whether Slack is there, with HTTP: it may be silent for days."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
REFUSED_PAUSE_S = 60.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def connected(settings: Settings, office: Office) -> AsyncIterator[Parts]:
    """Yield the platform and the inbound loop of one bot account.

    Raises:
        PermanentError: The port for Slack's requests is taken.
    """
    bound = None if settings.is_socket else bind(settings.port, setting="SYMPOZIUM_SLACK_PORT")
    async with open_session() as session:
        addresses = Addresses(settings.channel.api_url)
        api = Api(session, addresses, settings.bot_token)
        response_urls = ResponseUrls()
        connection = Connection(settings, office, api, response_urls, bound)
        yield Parts(SlackPlatform(api, response_urls), (connection.listen_loop,))


class Connection:
    """What comes in from Slack."""

    def __init__(
        self,
        settings: Settings,
        office: Office,
        api: Api,
        response_urls: ResponseUrls,
        bound: socket.socket | None,
    ) -> None:
        self._settings = settings
        self._office = office
        self._api = api
        self._response_urls = response_urls
        self._bound = bound

    async def listen_loop(self, stop: asyncio.Event) -> None:
        """Find out who we are, and take what comes until *stop* is set."""
        me = await self._introduced(stop)
        if me is None:
            return
        log.info("bot is known", extra={"action": "connect", "team": me.team, "bot": me.bot})
        inbound = Inbound(self._office, self._api, me, self._response_urls)
        loops: list[Loop] = [*inbound.loops, partial(self._audit_loop, inbound)]
        if self._bound is None:
            loops.append(self._sockets(inbound).listen_loop)
        else:
            http = HttpMode(inbound, Signatures(self._settings.signing_secret), self._is_up)
            loops += [partial(http.serve_loop, self._bound), partial(self._look_loop, inbound)]
        await run_until_stopped(*loops, stop=stop, drain_s=DRAIN_S)

    def _sockets(self, inbound: Inbound) -> Sockets:
        app = Api(self._api.session, self._api.addresses, self._settings.app_token)
        health = self._office.health
        signs = Signs(
            up=health.inbound_is_up,
            down=lambda cause, reason: health.inbound_is_down(cause, reason=reason),
            opened=inbound.gaps.came_back,
        )
        return Sockets(app, partial(_take_envelope, inbound), inbound.set_aside, signs)

    def _is_up(self) -> None:
        self._office.health.inbound_is_up()

    async def _introduced(self, stop: asyncio.Event) -> Me | None:
        """Return who we are, as soon as Slack says so; None when *stop* was set before."""
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():
            try:
                return await self._introduction()
            except (TransientError, PermanentError) as error:
                reason = getattr(error, "reason", "Disconnected")
                self._office.health.inbound_is_down(str(error), reason=reason)
                log.warning("bot not known yet", extra={"action": "retry", "cause": str(error)})
                is_refused = isinstance(error, PermanentError)
            await pause(REFUSED_PAUSE_S if is_refused else pause_s, stop)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return None

    async def _introduction(self) -> Me:
        answer = await self._api.call("auth.test")
        me = Me(
            team=str(answer.get("team_id") or ""),
            user=str(answer.get("user_id") or ""),
            bot=str(answer.get("bot_id") or ""),
        )
        if not (me.team and me.user and me.bot):
            raise AccountRefusedError(
                "cannot use the token: it is not a bot's; take the Bot User OAuth Token",
                reason="TokenRefused",
            )
        return me

    async def _audit_loop(self, inbound: Inbound, stop: asyncio.Event) -> None:
        """Read what was missed whenever something may have been, until *stop* is set."""
        async with asyncio.TaskGroup() as group:
            auditing = group.create_task(self._audit(inbound, stop))
            await stop.wait()
            auditing.cancel()

    async def _audit(self, inbound: Inbound, stop: asyncio.Event) -> None:
        pause_s = FIRST_PAUSE_S
        while not stop.is_set():  # a request to the bus may swallow a cancellation
            await inbound.gaps.wanted.wait()
            inbound.gaps.wanted.clear()
            try:
                await inbound.gaps.read_missed()
            except TransientError as error:
                log.warning("history not read yet", extra={"action": "retry", "cause": str(error)})
                inbound.gaps.wanted.set()
                await pause(pause_s, stop)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                pause_s = FIRST_PAUSE_S

    async def _look_loop(self, inbound: Inbound, stop: asyncio.Event) -> None:
        """Ask Slack whether it knows us, now and then, until *stop* is set."""
        was_down = True
        while not stop.is_set():
            try:
                await self._introduction()
            except (TransientError, PermanentError) as error:
                was_down = True
                reason = getattr(error, "reason", "Disconnected")
                self._office.health.inbound_is_down(str(error), reason=reason)
            else:
                self._is_up()
                if was_down:
                    was_down = False
                    inbound.gaps.came_back()
            await pause(LOOK_EVERY_S, stop)


async def _take_envelope(inbound: Inbound, envelope: Envelope) -> Answer | None:
    """Take what is in an envelope; of a kind that is not known, nothing."""
    payload = bytes(envelope.payload)
    if envelope.type == "events_api":
        await inbound.take_event(payload)
    elif envelope.type == "slash_commands":
        await inbound.take_command(payload)
    elif envelope.type == "interactive":
        return await inbound.take_interaction(payload)
    return None
