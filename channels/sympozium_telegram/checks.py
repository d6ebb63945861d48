"""Looking at a bot account by calling Telegram: what is right, what is missing, what to do."""

from collections.abc import Awaitable, Callable
from time import time
from typing import Any
from urllib.parse import urlsplit

from sympozium.chat.checks import Account, Finding
from sympozium.chat.errors import AccountRefusedError, ChatClosedError
from sympozium.contract.errors import SympoziumError
from sympozium.runtime.logs import redact
from sympozium_telegram.bot_api import BotApi, http_session
from sympozium_telegram.settings import PLATFORM_URL, WEBHOOK, hidden_path, is_token

FAILURE_COUNTS_FOR_S = 3600.0
MANY_WAITING = 100
_PRESENT = {"creator", "administrator", "member", "restricted"}

Me = dict[str, Any]


async def check_account(account: Account) -> list[Finding]:
    """Return what was found, the token first; nothing else is asked with one that is refused."""
    token = account.secret.get("TELEGRAM_BOT_TOKEN", "").strip()
    redact(token)
    if not is_token(token):
        return [
            Finding(
                "token",
                is_good=False,
                text="TELEGRAM_BOT_TOKEN has not the form of a token.",
                remedy="Copy it from @BotFather as it is: a number, a colon, and the rest.",
            )
        ]
    async with http_session() as session:
        api = BotApi(token, account.api_url.rstrip("/") or PLATFORM_URL, session)
        try:
            me = await api.call_object("getMe")
        except SympoziumError as error:
            return [_token_trouble(error, account)]
        found = [_token_found(me), _privacy(me), _groups(me, account)]
        found += await _webhook(api, account)
        for chat in account.chats:
            found += await _asked(f"chat {chat}", lambda chat=chat: _chat(api, me, chat))  # type: ignore[misc] # mypy cannot type a default in a lambda
        return found


def _token_trouble(error: SympoziumError, account: Account) -> Finding:
    if isinstance(error, AccountRefusedError):
        remedy = "Ask @BotFather for the token (/mybots, API Token) and put it into the Secret."
        return Finding("token", is_good=False, text="Telegram refuses the token.", remedy=remedy)
    where = account.api_url or PLATFORM_URL
    return Finding(
        "connection",
        is_good=False,
        text=f"The Bot API at {where} does not answer: {error}.",
        remedy="Let this machine reach it, or set spec.apiURL to a server that it reaches.",
    )


def _token_found(me: Me) -> Finding:
    text = f"It is the token of @{me.get('username', '')} (id {me.get('id', '')})."
    return Finding("token", is_good=True, text=text)


def _privacy(me: Me) -> Finding:
    if me.get("can_read_all_group_messages"):
        return Finding("privacy mode", is_good=True, text="Off: the bot is told all of a group.")
    return Finding(
        "privacy mode",
        is_good=True,
        text="On: in groups the bot is told mentions, commands and replies to it. That is "
        "enough, except to follow topics without a mention or to answer every message.",
        remedy="For those: @BotFather, /setprivacy, Disable; then remove the bot from each "
        "group and add it again.",
    )


def _groups(me: Me, account: Account) -> Finding:
    if me.get("can_join_groups"):
        return Finding("groups", is_good=True, text="The bot may be added to groups.")
    wants_groups = any(chat.startswith("-") for chat in account.chats)
    return Finding(
        "groups",
        is_good=not wants_groups,
        text="The bot may not be added to groups.",
        remedy="@BotFather, /setjoingroups, Enable.",
    )


async def _webhook(api: BotApi, account: Account) -> list[Finding]:
    async def look() -> list[Finding]:
        info = await api.call_object("getWebhookInfo")
        address, waiting = str(info.get("url") or ""), int(info.get("pending_update_count") or 0)
        found = [_webhook_address(address, account)]
        if waiting >= MANY_WAITING:
            text = f"{waiting} updates wait at Telegram."
            remedy = "See whether the channel's pod is ready; they are kept for a day."
            found.append(Finding("backlog", is_good=False, text=text, remedy=remedy))
        is_recent = time() - float(info.get("last_error_date") or 0) < FAILURE_COUNTS_FOR_S
        if address and is_recent and info.get("last_error_message"):
            text = f"Telegram could not deliver lately: {info['last_error_message']}."
            remedy = "See that spec.telegram.webhookURL leads to the pod, with a certificate."
            found.append(Finding("webhook delivery", is_good=False, text=text, remedy=remedy))
        return found

    return await _asked("webhook", look)


def _webhook_address(address: str, account: Account) -> Finding:
    host = urlsplit(address).hostname or ""
    if account.transport != WEBHOOK:
        if not address:
            return Finding("webhook", is_good=True, text="None is set: updates wait for the poll.")
        return Finding(
            "webhook",
            is_good=False,
            text=f"A webhook at {host} is set, by another program or an earlier setting.",
            remedy="The channel deletes it when it starts to poll. Stop the other program, or "
            "give the channel a bot of its own.",
        )
    secret = account.secret.get("TELEGRAM_WEBHOOK_SECRET", "").strip()
    redact(secret, hidden_path(secret))
    ours = f"{account.public_url.rstrip('/')}/{hidden_path(secret)}"
    if address == ours:
        return Finding("webhook", is_good=True, text="It is set, and leads to this channel.")
    if not address:
        return Finding(
            "webhook",
            is_good=True,
            text="None is set yet.",
            remedy="The channel sets it when it starts.",
        )
    return Finding(
        "webhook",
        is_good=False,
        text=f"It leads to another address, at {host}.",
        remedy="The channel sets its own when it runs. Stop the other program, or give the "
        "channel a bot of its own.",
    )


async def _chat(api: BotApi, me: Me, chat: str) -> list[Finding]:
    about = f"chat {chat}"
    found = await api.call_object("getChat", {"chat_id": chat})
    title = found.get("title") or found.get("first_name") or chat
    if found.get("type") == "private":
        return [Finding(about, is_good=True, text=f"A private chat with {title}.")]
    member = await api.call_object("getChatMember", {"chat_id": chat, "user_id": me["id"]})
    status = str(member.get("status", ""))
    if status not in _PRESENT:
        text, remedy = f"The bot is not in {title!r}.", "Add it to the group."
        return [Finding(about, is_good=False, text=text, remedy=remedy)]
    if status == "restricted" and member.get("can_send_messages") is False:
        text, remedy = f"The bot may not write in {title!r}.", "Let it send messages there."
        return [Finding(about, is_good=False, text=text, remedy=remedy)]
    return [Finding(about, is_good=True, text=f"The bot is in {title!r} as {status}.")]


async def _asked(about: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    """Return what *look* found, or that Telegram did not say it."""
    try:
        return await look()
    except ChatClosedError as error:
        text = f"Telegram does not know it, or the bot is not in it: {error}."
        remedy = "Check the id (a group's begins with '-'), and add the bot to the group."
        return [Finding(about, is_good=False, text=text, remedy=remedy)]
    except SympoziumError as error:
        remedy = "Try again in a minute."
        return [Finding(about, is_good=False, text=f"{error}.", remedy=remedy)]
