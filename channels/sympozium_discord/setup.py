"""The exact steps by which a person makes a Discord bot and hands its token over."""

from sympozium.chat.account import PlatformInfo, Token
from sympozium_discord.permissions import NEEDED

PLATFORM = PlatformInfo(
    name="discord", title="Discord", tokens=(Token("DISCORD_BOT_TOKEN", "bot token"),)
)

_STEPS = """\
A bot for the channel {name!r}:

1. Open https://discord.com/developers/applications and choose  New Application.
   Name:  {name}   (people see it)
2. On the left choose  Bot.
     Privileged Gateway Intents
       Message Content Intent   ON      (or the bot cannot read what people write)
     Save Changes.
3. On the same page  Reset Token  shows the token once:   MTk4...Cl2FMQ.ZnCj...
   Copy the whole of it. Who has it is the bot.
4. On the left choose  OAuth2, and there under  OAuth2 URL Generator:
     Scopes             bot, applications.commands
     Bot Permissions    {permissions}
   Open the address at the bottom of the page, choose your server, Authorise.
   (You need the permission Manage Server there.)
5. Who may speak is said by ids. You need not know yours: write to the bot once it runs. It
   answers with a pairing code, with which an operator lets you in.
   To look ids up: User Settings, Advanced, Developer Mode ON; then right-click a person, a
   channel or a server: Copy ID.
"""


def steps(account_name: str, *, transport: str = "") -> str:
    """Return the steps for a channel of this name.

    Raises:
        ValueError: *transport* is not empty: Discord has one way to bring messages.
    """
    if transport:
        raise ValueError(f"cannot set up transport {transport!r}: Discord has no choice of them")
    permissions = ",\n                        ".join(NEEDED)
    return _STEPS.format(name=account_name, permissions=permissions)
