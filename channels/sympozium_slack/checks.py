"""Looking at a Slack app by calling Slack: what is right, what is missing, what to do."""

from typing import Any

from sympozium.chat.checks import Account, Finding
from sympozium.chat.errors import AccountRefusedError, ChatClosedError
from sympozium.contract.errors import PermanentError, SympoziumError
from sympozium.runtime.logs import redact
from sympozium_slack.addresses import Addresses
from sympozium_slack.api import Api, open_session
from sympozium_slack.refusals import ScopeMissingError
from sympozium_slack.scopes import EVENTS, SCOPES
from sympozium_slack.settings import DEFAULT_COMMAND

_BOT, _APP, _SECRET = "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"
_BOT_PAGE = "Take the Bot User OAuth Token of the app's page OAuth & Permissions."
_APP_PAGE = (
    "Make an App-Level Token with the scope connections:write on the app's page Basic Information."
)


async def check_account(account: Account) -> list[Finding]:
    """Return what was found, the token first; nothing else is asked with one that is refused."""
    redact(*(value.strip() for value in account.secret.values()))
    async with open_session() as session:
        addresses = Addresses(account.api_url)
        bot = Api(session, addresses, account.secret.get(_BOT, "").strip())
        found, is_known = await _bot_token(bot, account)
        if is_known:
            for chat in account.chats:
                found.append(await _chat(bot, chat))
        app = Api(session, addresses, account.secret.get(_APP, "").strip())
        found.append(await _transport(app, account))
    return [*found, _events(account)]


async def _bot_token(api: Api, account: Account) -> tuple[list[Finding], bool]:
    """Return what the bot's token is and may, and whether Slack knows it."""
    if not account.secret.get(_BOT, "").strip().startswith("xoxb-"):
        text = f"{_BOT} is missing, or does not begin with xoxb-."
        return [Finding("token", is_good=False, text=text, remedy=_BOT_PAGE)], False
    try:
        answer, headers = await api.call_with_headers("auth.test")
    except SympoziumError as error:
        return [_trouble("token", error, account)], False
    text = f"The token is that of {answer.get('user')} in {answer.get('team') or 'the workspace'}."
    granted = next((v for k, v in headers.items() if k.lower() == "x-oauth-scopes"), "")
    return [Finding("token", is_good=True, text=text), *_scopes(str(granted))], True


def _scopes(granted: str) -> list[Finding]:
    """Return a finding for every scope that is missing, or one that says that none is."""
    has = {name.strip() for name in granted.split(",")}
    missing = [
        Finding(
            f"scope {scope.name}",
            is_good=False,
            text=f"The scope {scope.name} is missing: {scope.why}.",
            remedy="Add it on the app's page OAuth & Permissions, and install the app again.",
        )
        for scope in SCOPES
        if scope.name not in has
    ]
    return missing or [Finding("scopes", is_good=True, text="The app has every scope.")]


async def _chat(api: Api, chat: str) -> Finding:
    about = f"channel {chat}"
    try:
        info: dict[str, Any] = (await api.call("conversations.info", channel=chat))["channel"]
    except ScopeMissingError as error:
        return Finding(
            about, is_good=False, text="It cannot be seen whether the bot is there.",
            remedy=f"{error}.",
        )  # fmt: skip
    except ChatClosedError:
        return Finding(
            about,
            is_good=False,
            text="Slack knows no such channel, or it is private and the bot is not in it.",
            remedy="Write there   /invite @the-bot   or correct the id: it is at the end of the "
            "channel's link.",
        )
    except SympoziumError as error:
        return Finding(about, is_good=False, text=f"{error}.", remedy="Try again later.")
    if info.get("is_archived"):
        return Finding(about, is_good=False, text="The channel is archived.", remedy="Restore it.")
    if info.get("is_im") or info.get("is_member"):
        return Finding(about, is_good=True, text="The bot is in the channel.")
    return Finding(
        about, is_good=False, text="The bot is not in the channel.",
        remedy="Write there   /invite @the-bot",
    )  # fmt: skip


async def _transport(app: Api, account: Account) -> Finding:
    if account.transport == "http":
        if account.secret.get(_SECRET, "").strip():
            return Finding("signing secret", is_good=True, text="There is a signing secret.")
        return Finding(
            "signing secret",
            is_good=False,
            text=f"{_SECRET} is missing: every request would be refused.",
            remedy="Copy it from App Credentials on the app's page Basic Information.",
        )
    if not account.secret.get(_APP, "").strip().startswith("xapp-"):
        text = f"{_APP} is missing, or does not begin with xapp-."
        return Finding("Socket Mode", is_good=False, text=text, remedy=_APP_PAGE)
    try:
        await app.call("apps.connections.open")
    except SympoziumError as error:
        return _trouble("Socket Mode", error, account)
    return Finding("Socket Mode", is_good=True, text="The app may open connections.")


def _trouble(about: str, error: SympoziumError, account: Account) -> Finding:
    if isinstance(error, AccountRefusedError):
        remedy = _APP_PAGE if about == "Socket Mode" else _BOT_PAGE
        return Finding(
            about, is_good=False, text=f"Slack refuses the token: {error}.", remedy=remedy
        )
    if isinstance(error, PermanentError):
        remedy = (
            "Turn on Socket Mode on the app's page of that name." if about == "Socket Mode" else ""
        )
        return Finding(about, is_good=False, text=f"{error}.", remedy=remedy or "Try again later.")
    where = Addresses(account.api_url).api
    return Finding(
        "connection",
        is_good=False,
        text=f"Slack's API at {where} does not answer.",
        remedy="Let this machine reach it, or set spec.apiURL to an address that it reaches.",
    )


def _events(account: Account) -> Finding:
    """Say what cannot be asked: Slack tells nobody which events an app is subscribed to."""
    command = account.command or DEFAULT_COMMAND
    return Finding(
        "events",
        is_good=True,
        text="Slack does not tell which events and commands an app has. To see them, open the "
        f"app's pages Event Subscriptions ({', '.join(EVENTS)}) and Slash Commands ({command}); "
        "the manifest that   sympozium channel add slack   prints has them all.",
    )
