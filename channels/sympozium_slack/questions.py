"""Questions that are asked in a form and not in a chat: they are carried on in the direct chat."""

from collections import OrderedDict
from datetime import UTC, datetime

from sympozium.chat.intake import fitted
from sympozium.chat.markup import Dialect, escape
from sympozium.contract.errors import PermanentError
from sympozium.contract.messages import InboundMessage, Place, Sender
from sympozium_slack.api import Api
from sympozium_slack.events import read
from sympozium_slack.forms import (
    ABOUT_CALLBACK,
    CALLBACK,
    MAX_ABOUT_CHARS,
    QUESTION_BLOCK,
    About,
    ask_form,
)
from sympozium_slack.ids import Origin, conversation_id, form_id
from sympozium_slack.interactions import Interaction, View, Who, field_of
from sympozium_slack.reading import Me
from sympozium_slack.words import whole

MAX_REMEMBERED = 256


class Questions:
    """Opens the form "Ask an agent", and makes a message of what is sent with it."""

    def __init__(self, api: Api, me: Me) -> None:
        self._api = api
        self._me = me
        self._repeated: OrderedDict[str, str] = OrderedDict()

    def opens_form(self, interaction: Interaction) -> bool:
        """Return whether it is a shortcut to the form."""
        return interaction.type in {"shortcut", "message_action"} and interaction.callback_id in {
            CALLBACK,
            ABOUT_CALLBACK,
        }

    async def open_form(self, trigger: str, about: About) -> None:
        """Open the form for whoever pulled *trigger*; raises as `Api.call`."""
        await self._api.call("views.open", trigger_id=trigger, view=ask_form(about))

    async def from_form(self, who: Who, view: View) -> InboundMessage:
        """Return the message that a sent form is; raises as `Api.call`."""
        about = read((view.private_metadata or "{}").encode(), About)
        return await self.asked(who, field_of(view, QUESTION_BLOCK), about, view.id)

    async def asked(self, who: Who, text: str, about: About, identity: str) -> InboundMessage:
        """Return a question as a message in the direct chat of who asks it.

        The question is repeated there, once for each *identity*, so that its answer stands
        below it.

        Raises:
            TransientError, PermanentError: As `Api.call`; nothing may be stored then.
        """
        opened = await self._api.call("conversations.open", users=who.id)
        channel = str((opened.get("channel") or {}).get("id") or "")
        if not channel:
            raise PermanentError("cannot open a direct chat: Slack does not say which one it is")
        ts = await self._repeat(channel, text, about, identity)
        origin = Origin(channel, ts, "", who.id, who.team_id or self._me.team)
        return InboundMessage(
            message_id=form_id(self._me.team, channel, identity),
            conversation=conversation_id(self._me.team, channel, ""),
            sender=Sender(
                platform="slack",
                user_id=who.id,
                workspace=who.team_id or self._me.team,
                display_name=who.name or who.username or "",
            ),
            text=fitted(text),
            time=datetime.now(UTC),
            place=Place(chat=channel, is_direct=True),
            reply_to=origin.written(),
            quoted=about.quoted,
        )

    async def _repeat(self, channel: str, text: str, about: About, identity: str) -> str:
        if identity not in self._repeated:
            asked = f"*You asked:* {escape(text, Dialect.SLACK)}"
            quoted = [f"> {escape(line, Dialect.SLACK)}" for line in about.quoted.splitlines()]
            said = await self._api.call(
                "chat.postMessage",
                channel=channel,
                text="\n".join([*quoted, asked]),
                unfurl_links=False,
                unfurl_media=False,
            )
            self._repeated[identity] = str(said["ts"])
            while len(self._repeated) > MAX_REMEMBERED:
                self._repeated.popitem(last=False)
        return self._repeated[identity]


def about_of(interaction: Interaction) -> About:
    """Return what a shortcut is pulled on."""
    if interaction.message is None:
        return About()
    return About(quoted=whole(interaction.message)[:MAX_ABOUT_CHARS])
