"""The exact steps by which a person makes a Slack app, and the manifest that does most of them."""

import json
from typing import Any

from sympozium.chat.account import PlatformInfo, Token
from sympozium_slack.forms import ABOUT_CALLBACK, CALLBACK
from sympozium_slack.http_mode import PATH
from sympozium_slack.scopes import EVENTS, SCOPES
from sympozium_slack.settings import DEFAULT_COMMAND

PLATFORM = PlatformInfo(
    name="slack",
    title="Slack",
    tokens=(
        Token("SLACK_BOT_TOKEN", "Bot User OAuth Token (xoxb-...)"),
        Token("SLACK_APP_TOKEN", "App-Level Token (xapp-...)", ("socket",)),
        Token("SLACK_SIGNING_SECRET", "Signing Secret", ("http",)),
    ),
    transports=("socket", "http"),
)

MAX_APP_NAME_CHARS = 35
"""Source: https://docs.slack.dev/reference/app-manifest (display_information.name)."""

_BOT = """\
An app for the channel {name!r}:

1. Open https://api.slack.com/apps and press "Create New App", then "From a manifest".
   Choose the workspace, take the tab JSON, put this in place of what is there, and
   press "Next" and "Create":

{manifest}

2. On the page "Install App" press "Install to Workspace" and "Allow". Copy the
   "Bot User OAuth Token" (xoxb-...): it is SLACK_BOT_TOKEN.
"""

_SOCKET = """\
3. On the page "Basic Information", under "App-Level Tokens", press "Generate Token and
   Scopes", add the scope connections:write, and press "Generate". Copy the token
   (xapp-...): it is SLACK_APP_TOKEN. Slack is called from here; no public address is needed.
"""

_HTTP = """\
3. On the page "Basic Information", under "App Credentials", copy the "Signing Secret": it is
   SLACK_SIGNING_SECRET. Have {url} lead to the pod's port (spec.slack.port,
   8401). Once the channel runs, press "Retry" on the page "Event Subscriptions" if Slack says
   that the address is not verified.
"""

_REST = """\
4. In Slack, in every channel where the bot is to be named:   /invite @{bot}
   Direct messages need no invitation: find the bot under "Apps".
5. Who may speak is said by ids. You need not know yours: write to the bot once it runs. It
   answers with a pairing code, with which an operator lets you in.
"""


def app_manifest(
    account_name: str,
    *,
    transport: str = "socket",
    public_url: str = "",
    command: str = DEFAULT_COMMAND,
) -> dict[str, Any]:
    """Return the manifest of the app: its scopes, events, command, shortcuts and buttons.

    Args:
        account_name: How the bot is called.
        transport: `socket` or `http`.
        public_url: With `http`, what leads to the channel's port; `https://...`.
        command: The slash command.
    """
    is_socket = transport != "http"
    request_url = f"{(public_url or 'https://YOUR-ADDRESS').rstrip('/')}{PATH}"
    where = {} if is_socket else {"request_url": request_url}
    slash = {
        "command": command,
        "description": "Stop, start over, see what goes on, or ask",
        "usage_hint": "help | ask | new | stop | status | cost | model | agents",
        "should_escape": False,
    }
    name = _app_name(account_name)
    return {
        "display_information": {"name": name, "description": "Agents, asked from Slack"},
        "features": {
            "app_home": {"messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
            "assistant_view": {"assistant_description": "Ask an agent", "suggested_prompts": []},
            "bot_user": {"display_name": name, "always_online": True},
            "shortcuts": _shortcuts(),
            "slash_commands": [slash | ({} if is_socket else {"url": request_url})],
        },
        "oauth_config": {"scopes": {"bot": sorted(scope.name for scope in SCOPES)}},
        "settings": {
            "event_subscriptions": {**where, "bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True, **where},
            "org_deploy_enabled": False,
            "socket_mode_enabled": is_socket,
            "token_rotation_enabled": False,
        },
    }


def steps(
    account_name: str,
    *,
    transport: str = "",
    public_url: str = "",
    command: str = DEFAULT_COMMAND,
) -> str:
    """Return the steps for a channel of this name; the arguments are those of `app_manifest`."""
    manifest = app_manifest(
        account_name, transport=transport, public_url=public_url, command=command
    )
    written = json.dumps(manifest, indent=2)
    url = f"{(public_url or 'https://YOUR-ADDRESS').rstrip('/')}{PATH}"
    third = _HTTP.format(url=url) if transport == "http" else _SOCKET
    begin = _BOT.format(name=account_name, manifest=written)
    return begin + third + _REST.format(bot=_app_name(account_name))


def _shortcuts() -> list[dict[str, str]]:
    return [
        {
            "name": "Ask an agent",
            "type": "global",
            "callback_id": CALLBACK,
            "description": "Ask in a form; the answer comes as a direct message",
        },
        {
            "name": "Ask about this",
            "type": "message",
            "callback_id": ABOUT_CALLBACK,
            "description": "Ask an agent about a message",
        },
    ]


def _app_name(account_name: str) -> str:
    return account_name.strip()[:MAX_APP_NAME_CHARS] or "sympozium"
