"""From Slack to INBOX: what is sent here is stored, and Slack is answered after that."""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from sympozium.chat.commands import read_command
from sympozium.chat.holding import seen_to_wait, stored
from sympozium.chat.program import Office
from sympozium.contract.errors import PermanentError, SympoziumError, TransientError
from sympozium.contract.messages import (
    Command,
    InboundKind,
    InboundMessage,
    Place,
    Sender,
)
from sympozium.runtime.loops import Loop
from sympozium_slack.api import Api
from sympozium_slack.assistant import Contexts, suggest_prompts
from sympozium_slack.downloads import Downloads
from sympozium_slack.events import AssistantEvent, Callback, Typed, UnreadableError, read
from sympozium_slack.forms import CALLBACK, About, refused_form
from sympozium_slack.gaps import Gaps
from sympozium_slack.ids import Origin, command_id, conversation_id, is_direct
from sympozium_slack.interactions import Interaction, SlashCommand, Who, chosen
from sympozium_slack.questions import Questions, about_of
from sympozium_slack.reading import Me, Reading, read_message
from sympozium_slack.response_urls import ResponseUrls
from sympozium_slack.roots import Roots
from sympozium_slack.underway import Underway

log = logging.getLogger(__name__)

ASK = "ask"
"""The one word after the slash command that is not the router's: it opens the form."""

NOT_STORED = "This could not be taken just now. Please send it again."


class Inbound:
    """Takes what Slack sends. Slack is answered when a method has returned, and not before.

    Each method raises `TransientError` where nothing is stored: Slack, not answered,
    sends an event again, and tells a person that their command or click had no effect.
    An event that nobody can read is set aside, and counts as taken.
    """

    def __init__(self, office: Office, api: Api, me: Me, response_urls: ResponseUrls) -> None:
        self._intake = office.intake
        self._marks = office.marks
        self._triggers = office.settings.triggers
        self._api = api
        self._me = me
        self._downloads = Downloads(api, office.files)
        self._roots = Roots(api, me)
        self._contexts = Contexts()
        self._works = Underway()
        self._questions = Questions(api, me)
        self._response_urls = response_urls
        self.gaps = Gaps(office.desk, api, me, office.settings.triggers, self.take_reading)

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What must run for the methods to work."""
        return (self._works.work_loop, self.gaps.keep_loop)

    async def take_event(self, body: bytes) -> None:
        """Take what the Events API calls a callback."""
        await self._settled(body, self._event)

    async def take_command(self, body: bytes | Mapping[str, str]) -> None:
        """Take a slash command: JSON of Socket Mode, or the fields of a form.

        Raises:
            PermanentError: It cannot be read; the person is to be told so.
        """
        with _bugs_contained():
            await self._command(_slash_command(body))

    async def take_interaction(self, body: bytes) -> dict[str, Any] | None:
        """Take a click, a shortcut or a form; return what Slack is to be answered, if anything.

        Raises:
            PermanentError: It cannot be read; the person is to be told so.
        """
        with _bugs_contained():
            return await self._interaction(read(body, Interaction))

    async def set_aside(self, body: bytes, reason: str) -> None:
        """Keep what nobody can read; raises as `Intake.set_aside`."""
        await self._intake.set_aside(body, reason=reason)

    async def _settled(self, body: bytes, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Take an event, or set it aside: the next one is to come whatever this one is."""
        try:
            with _bugs_contained():
                await take(body)
        except PermanentError as error:
            await self.set_aside(body, str(error))

    async def take_reading(self, reading: Reading) -> None:
        """Store what was read of a message, with its files and what it is about."""
        key = reading.message.message_id
        await self._works.once(key, partial(self._complete_and_store, reading))

    async def _event(self, body: bytes) -> None:
        callback = read(body, Callback)
        if callback.type != "event_callback" or not self._is_ours(callback):
            return
        typed = read(callback.event, Typed)
        if typed.type in {"message", "app_mention"}:
            reading = read_message(callback.event, self._me, self._triggers)
            if reading is not None:
                await self.take_reading(reading)
        elif typed.type in {"assistant_thread_started", "assistant_thread_context_changed"}:
            thread = read(callback.event, AssistantEvent).assistant_thread
            self._contexts.note(thread)
            if typed.type == "assistant_thread_started":
                await suggest_prompts(self._api, thread)

    def _is_ours(self, callback: Callback) -> bool:
        """Return whether the event is for this workspace: an app may be installed in several."""
        teams = {authorization.team_id for authorization in callback.authorizations or []}
        return self._me.team in teams or callback.team_id in {self._me.team, "", None}

    async def _complete_and_store(self, reading: Reading) -> None:
        try:
            with seen_to_wait(self._marks, reading.message):
                await self._store(await self._completed(reading))
        except TransientError:
            self.gaps.refused(reading.message)
            raise

    async def _completed(self, reading: Reading) -> InboundMessage:
        """Return a message with its files and with what it is about."""
        message = reading.message
        refs, notes = await self._downloads.take(reading.files)
        place = message.place
        about = self._contexts.quotation(place.chat, place.thread)
        if reading.wants_root:
            about = await self._roots.quotation(place.chat, place.thread, message.message_id)
        quoted = "\n".join(part for part in (about, message.quoted) if part)
        text = "\n".join(part for part in (message.text, *notes) if part)
        return msgspec.structs.replace(message, text=text, files=refs, quoted=quoted)

    async def _store(self, message: InboundMessage) -> None:
        await self._intake.store(message)
        self.gaps.stored(message)
        stored(self._marks, message)

    async def _command(self, slash: SlashCommand) -> None:
        who = Who(id=slash.user_id, name=slash.user_name, team_id=slash.team_id)
        word, _, rest = (slash.text or "").strip().partition(" ")
        if word == ASK and not rest.strip():
            await self._questions.open_form(slash.trigger_id, About())
            return
        if word == ASK:
            await self._store(
                await self._questions.asked(who, rest.strip(), About(), slash.trigger_id)
            )
            return
        command = read_command(slash.text or "", prefix="", any_word=True) or Command(name="help")
        origin = Origin(slash.channel_id, "", "", slash.user_id, slash.team_id or self._me.team)
        message = self._asked(command, who, origin, slash.trigger_id)
        self._response_urls.keep(message.message_id, slash.response_url or "")
        await self._store(message)

    async def _interaction(self, interaction: Interaction) -> dict[str, Any] | None:
        if interaction.type == "block_actions":
            await self._choices(interaction)
        elif self._questions.opens_form(interaction):
            await self._questions.open_form(interaction.trigger_id or "", about_of(interaction))
        elif interaction.type == "view_submission" and interaction.view is not None:
            return await self._form(interaction)
        return None

    async def _form(self, interaction: Interaction) -> dict[str, Any] | None:
        view = interaction.view
        if view is None or view.callback_id != CALLBACK:
            return None
        try:
            await self._store(await self._questions.from_form(interaction.user, view))
        except UnreadableError:
            raise
        except SympoziumError as error:  # the person has the form still, and sends it again
            log.warning("form not taken", extra={"action": "refuse", "cause": str(error)})
            return refused_form(NOT_STORED)
        return None

    async def _choices(self, interaction: Interaction) -> None:
        container, post = interaction.container, interaction.message
        channel = interaction.channel.id if interaction.channel else ""
        channel = channel or (container.channel_id if container else "") or ""
        thread = (post.thread_ts if post else "") or (container.thread_ts if container else "")
        team = interaction.user.team_id or self._me.team
        for action in interaction.actions:
            command = chosen(action)
            if command is None:
                continue
            if not channel or not interaction.trigger_id:
                raise UnreadableError("cannot read a choice of Slack's: it does not say where")
            origin = Origin(channel, "", thread or "", interaction.user.id, team)
            message = self._asked(command, interaction.user, origin, interaction.trigger_id)
            self._response_urls.keep(message.message_id, interaction.response_url or "")
            await self._store(message)

    def _asked(self, command: Command, who: Who, origin: Origin, trigger: str) -> InboundMessage:
        team = self._me.team
        return InboundMessage(
            message_id=command_id(team, origin.channel, trigger),
            conversation=conversation_id(team, origin.channel, origin.thread),
            sender=Sender(
                platform="slack",
                user_id=who.id,
                workspace=who.team_id or team,
                display_name=who.name or who.username or "",
            ),
            text="",
            time=datetime.now(UTC),
            kind=InboundKind.COMMAND,
            place=Place(
                chat=origin.channel, thread=origin.thread, is_direct=is_direct(origin.channel)
            ),
            command=command,
            reply_to=origin.written(),
        )


@contextmanager
def _bugs_contained() -> Iterator[None]:
    """Turn a bug into a `PermanentError`: it must not stop other people's messages."""
    try:
        yield
    except SympoziumError:
        raise
    except TimeoutError as error:
        raise TransientError("cannot take an event in time") from error
    except Exception as error:
        log.exception("event bug", extra={"action": "discard"})
        raise PermanentError(f"cannot take an event: a bug ({type(error).__name__})") from error


def _slash_command(body: bytes | Mapping[str, str]) -> SlashCommand:
    if isinstance(body, bytes):
        return read(body, SlashCommand)
    try:
        return msgspec.convert(dict(body), SlashCommand)
    except msgspec.ValidationError as error:
        raise UnreadableError(f"cannot read a slash command of Slack's: {error}") from None
