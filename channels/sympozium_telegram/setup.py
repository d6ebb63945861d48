"""The exact steps by which a person makes a Telegram bot and hands its token over."""

from sympozium.chat.account import PlatformInfo, Token
from sympozium_telegram.settings import WEBHOOK

PLATFORM = PlatformInfo(
    name="telegram",
    title="Telegram",
    tokens=(
        Token("TELEGRAM_BOT_TOKEN", "token from @BotFather (123456:ABC...)"),
        Token("TELEGRAM_WEBHOOK_SECRET", "webhook secret, of your choice", ("webhook",)),
    ),
    transports=("poll", "webhook"),
)

_BOT = """\
A bot for the channel {name!r}:

1. Open Telegram and write to @BotFather (https://t.me/BotFather; look for the blue mark).
2. Send   /newbot
   It asks for a name, which people see ({name}), and for a username, which must end in
   "bot" and be free, such as   {username}
3. It answers with a token:   123456789:AAE...   Copy the whole of it. Who has it is the bot.
4. Only where the bot is to work in groups, still with @BotFather:
     /setjoingroups   choose the bot, Enable       (this is so from the start)
     /setprivacy      choose the bot, Disable      (only to follow topics without a mention,
                                                    or to hear every message of a group)
   After a change of the privacy remove the bot from its groups and add it again.
5. Open https://t.me/{username} and press START, so that the bot may write to you.
   For a group: its name, Add members, the bot's username.
6. Who may speak is said by ids. You need not know yours: write to the bot once it runs. It
   answers with a pairing code, with which an operator lets you in.
"""

_WEBHOOK = """\
7. For the webhook: make up a secret of 16 to 256 of A-Z a-z 0-9 _ -, such as the output of
     openssl rand -hex 32
   and have a public https address, on port 443, 80, 88 or 8443, lead to the pod's port
   (spec.telegram.port, 8402). The channel tells Telegram of it when it starts.
"""

_POLL = """\
7. Nothing else: the channel asks Telegram for messages, and needs no public address.
"""


def steps(account_name: str, *, transport: str = "") -> str:
    """Return the steps for a channel of this name; *transport* is `poll` or `webhook`."""
    plain = "".join(c for c in account_name.lower() if c.isalnum() or c in "-_").replace("-", "_")
    stem = plain.strip("_")[:24] or "my"
    username = stem if stem.endswith("bot") and len(stem) > 4 else f"{stem}_bot"
    last = _WEBHOOK if transport == WEBHOOK else _POLL
    return _BOT.format(name=account_name, username=username) + last
