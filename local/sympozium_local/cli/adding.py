"""Adding a bot, step by step: how to make it, its tokens, the check, the objects, the waiting."""

import os
import sys
import time
from dataclasses import replace

import typer

from sympozium.chat.account import PlatformInfo, Token
from sympozium.contract.channel import READY
from sympozium.contract.errors import PermanentError
from sympozium.contract.resources import AGENTS, Object
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.channel_objects import (
    Wanted,
    build_channel,
    build_secret,
    channel_path,
    secret_path,
)
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.findings import show_findings
from sympozium_local.cli.platforms import check_account, setup_steps
from sympozium_local.cli.screen import say, waiting

CONNECT_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.5


def add_channel(cluster: Cluster, info: PlatformInfo, wanted: Wanted, *, force: bool) -> None:
    """Add a channel, or bring the one of its name up to date.

    Raises:
        PermanentError: A token is missing, a check failed, or there is no such Agent.
    """
    _need_agent(cluster, wanted)
    tokens = _tokens_from_environment(info, wanted.transport)
    if len(tokens) < len(info.tokens_for(wanted.transport)):
        say(setup_steps(info, wanted.name, wanted.transport), stream=sys.stdout)
        tokens = _asked_for(info, wanted.transport, tokens)
    wanted = replace(wanted, tokens=tokens)
    say(f"Asking {info.title} about the bot", stream=sys.stdout)
    with waiting(f"Asking {info.title}"):
        findings = check_account(info, wanted.account)
    if not show_findings(findings) and not force:
        raise PermanentError(
            f"cannot add channel {wanted.name!r}: a check failed; mend it and run the same "
            "command again, or add --force to write it as it is"
        )
    cluster.apply(secret_path(wanted.namespace, wanted.secret_name), build_secret(wanted))
    cluster.apply(channel_path(wanted.namespace, wanted.name), build_channel(wanted))
    say(f"Secret '{wanted.secret_name}' and Channel '{wanted.name}' are written.")
    _wait_until_connected(cluster, wanted)
    _say_what_next(info, wanted)


def _need_agent(cluster: Cluster, wanted: Wanted) -> None:
    path = f"/apis/{AGENTS.api_version}/namespaces/{wanted.namespace}/{AGENTS.plural}"
    try:
        cluster.get(f"{path}/{wanted.agent}")
    except NotFoundError:
        raise PermanentError(
            f"cannot add channel {wanted.name!r}: there is no Agent {wanted.agent!r} in namespace "
            f"{wanted.namespace!r}; name one with --agent"
        ) from None


def _tokens_from_environment(info: PlatformInfo, transport: str) -> dict[str, str]:
    found = {token.key: os.environ.get(token.key, "") for token in info.tokens_for(transport)}
    return {key: value.strip() for key, value in found.items() if value.strip()}


def _asked_for(info: PlatformInfo, transport: str, known: dict[str, str]) -> dict[str, str]:
    missing = [token for token in info.tokens_for(transport) if token.key not in known]
    if not sys.stdin.isatty():
        names = ", ".join(token.key for token in missing)
        raise PermanentError(
            f"cannot add a {info.title} channel: {names} not set, and there is no terminal to ask "
            "on; set it in the environment"
        )
    return known | {token.key: _ask(token) for token in missing}


def _ask(token: Token) -> str:
    answer: str = typer.prompt(f"{token.title}\n{token.key}", hide_input=True)
    return answer.strip()


def _wait_until_connected(cluster: Cluster, wanted: Wanted) -> None:
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    conditions: dict[str, Object] = {}
    with waiting("Starting the channel's program"):
        while time.monotonic() < deadline:
            status = cluster.get(channel_path(wanted.namespace, wanted.name)).get("status") or {}
            conditions = {one["type"]: one for one in status.get("conditions") or ()}
            if conditions.get("Available", {}).get("status") == "True":
                return
            time.sleep(LOOK_EVERY_S)
    conditions.pop(READY, None)  # it says what one of the others says
    said = [one.get("message", "") for one in conditions.values() if one["status"] != "True"]
    cause = "; ".join(filter(None, said)) or "nothing is known of its program"
    raise PermanentError(
        f"cannot connect channel {wanted.name!r} within {CONNECT_TIMEOUT_S:.0f} s: {cause}; "
        f"see `sympozium channel check {wanted.name}`"
    )


def _say_what_next(info: PlatformInfo, wanted: Wanted) -> None:
    say(f"The bot is connected. Write to it in {info.title}.")
    if not wanted.users:
        say(
            "Nobody may talk to it yet: it tells whoever writes a pairing code. Let them in with\n"
            f"  sympozium channel pair {wanted.name} CODE"
        )
