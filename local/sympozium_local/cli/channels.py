"""`channel`: add a bot, look at it, let people in, take it away."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sympozium_local.cli.where import Where, somewhere

if TYPE_CHECKING:
    from sympozium.chat.checks import Finding
    from sympozium.contract.resources import Object
    from sympozium_local.cli.cluster import Cluster
    from sympozium_local.cli.target import Target

app = typer.Typer(
    no_args_is_help=True,
    help="""Bots in Slack, Telegram and Discord: each is a Channel and a Secret with its tokens.

Examples: `sympozium channel add telegram` | `sympozium channel list` |
`sympozium channel pair telegram K7QX2M` | `sympozium channel check telegram`""",
)

Platform = Annotated[str, typer.Argument(help="`slack`, `telegram`, `discord`.")]
Users = Annotated[
    list[str] | None, typer.Option(help="Platform id of somebody who may talk to it; may repeat.")
]
Name = Annotated[str, typer.Argument(help="Name of the channel, as `channel list` shows it.")]


@app.command("add")
@somewhere
def add(
    where: Where,
    platform: Platform,
    *,
    name: Annotated[str, typer.Option(help="Name of the Channel; else the platform's.")] = "",
    agent: Annotated[str, typer.Option(help="The Agent that answers.")] = "assistant",
    user: Users = None,
    transport: Annotated[
        str, typer.Option(help="Slack: socket, http; Telegram: poll, webhook.")
    ] = "",
    api_url: Annotated[str, typer.Option(help="Another base address of the API.")] = "",
    gateway_url: Annotated[str, typer.Option(help="Another address of Discord's gateway.")] = "",
    webhook_url: Annotated[str, typer.Option(help="Where Telegram reaches the webhook.")] = "",
    image: Annotated[str, typer.Option(help="Image, for a platform of your own.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write it though a check failed.")] = False,
) -> None:
    """Walk through adding a bot: how to make it, its tokens, a check, and the objects.

    Tokens are taken from the environment (SLACK_BOT_TOKEN, SLACK_APP_TOKEN,
    SLACK_SIGNING_SECRET, TELEGRAM_BOT_TOKEN, TELEGRAM_WEBHOOK_SECRET, DISCORD_BOT_TOKEN) or
    asked for on the terminal; never on the command line, where others could read them.
    """
    from sympozium_local.cli.adding import add_channel
    from sympozium_local.cli.channel_objects import Wanted
    from sympozium_local.cli.platforms import platform_info
    from sympozium_local.cli.target import find_target

    info = platform_info(platform)
    if transport and transport not in info.transports:
        raise typer.BadParameter(
            f"{info.title} knows {' and '.join(filter(None, info.transports)) or 'no transports'}"
        )
    target = find_target(where)
    wanted = Wanted(
        name=name or platform,
        namespace=target.namespace,
        platform=platform,
        agent=agent,
        transport=transport or info.transports[0],
        users=tuple(user or ()),
        api_url=api_url,
        gateway_url=gateway_url,
        webhook_url=webhook_url,
        image=image,
    )
    add_channel(target.cluster, info, wanted, force=force)


@app.command("list")
@somewhere
def list_channels(where: Where) -> None:
    """List the channels and how they stand."""
    from sympozium_local.cli.channel_objects import channel_path
    from sympozium_local.cli.table import print_table
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    channels = target.cluster.get(channel_path(target.namespace))["items"]
    rows = [("NAME", "TYPE", "AGENT", "AVAILABLE", "CONNECTED", "WAITING"), *map(_row, channels)]
    print_table(rows)


@app.command("show")
@somewhere
def show(where: Where, name: Name) -> None:
    """Show one channel: its conditions in words, and who waits to be let in."""
    from sympozium_local.cli.target import find_target

    channel = _channel(find_target(where), name)
    spec, status = channel["spec"], channel.get("status") or {}
    sys.stdout.write(f"{name}: {spec['type']}, answered by {spec['agentRef']}\n")
    users = (spec.get("access") or {}).get("users") or []
    sys.stdout.write(f"  may speak: {', '.join(users) or 'nobody yet'}\n")
    for condition in status.get("conditions") or ():
        said = condition.get("message") or condition.get("reason", "")
        sys.stdout.write(f"  {condition['type']}: {condition['status']} ({said})\n")
    for pairing in status.get("pairings") or ():
        who = pairing.get("displayName") or "somebody"
        sys.stdout.write(
            f"  waits to be let in: {who}, id {pairing['userId']}: "
            f"sympozium channel pair {name} {pairing['code']}\n"
        )


@app.command("pair")
@somewhere
def pair(
    where: Where,
    name: Name,
    code: Annotated[str, typer.Argument(help="The code that the person was told.")],
) -> None:
    """Let the person in who was told a pairing code: their id is added to the Channel's users."""
    from sympozium.contract.errors import PermanentError
    from sympozium_local.cli.channel_objects import channel_path
    from sympozium_local.cli.screen import say
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    channel = _channel(target, name)
    pairings = (channel.get("status") or {}).get("pairings") or []
    found = [one for one in pairings if one["code"] == code.strip().upper()]
    if not found or _is_over(found[0]):
        raise PermanentError(
            f"cannot pair {code!r} with channel {name!r}: no open code is that; codes are good "
            "for a day, and a person is told one when they write to the bot"
        )
    users = list((channel["spec"].get("access") or {}).get("users") or [])
    user_id = found[0]["userId"]
    if user_id not in users:
        version = {"resourceVersion": channel["metadata"]["resourceVersion"]}
        patch = {"metadata": version, "spec": {"access": {"users": [*users, user_id]}}}
        target.cluster.patch(channel_path(target.namespace, name), patch)
    who = found[0].get("displayName") or "They"
    say(f"{who} (id {user_id}) may talk to channel '{name}' now.")


@app.command("check")
@somewhere
def check(where: Where, name: Name) -> None:
    """Call the platform and name what is missing: token, scopes, intents, events, places.

    Exit code: 0 all is well, 1 something is not.
    """
    from sympozium_local.cli.findings import show_findings
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    is_good = show_findings(channel_findings(target.cluster, _channel(target, name)))
    raise typer.Exit(0 if is_good else 1)


@app.command("remove")
@somewhere
def remove(
    where: Where,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a channel and the Secret that `channel add` made for it.

    Its program ends when what people have asked is answered and shown, or soon after.
    """
    import contextlib

    from sympozium.kube.errors import NotFoundError
    from sympozium_local.cli.channel_objects import channel_path, secret_path
    from sympozium_local.cli.screen import say
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    cluster, namespace = target.cluster, target.namespace
    channel = _channel(target, name)
    if not yes and not typer.confirm(f"Delete channel '{name}' and its tokens?"):
        raise typer.Exit(1)
    cluster.delete(channel_path(namespace, name))
    secret = (channel["spec"].get("configRef") or {}).get("secret", "")
    if secret == f"{name}-tokens":
        with contextlib.suppress(NotFoundError):
            cluster.delete(secret_path(namespace, secret))
    say(f"Channel '{name}' is gone. Its program ends when what was asked is answered.")


def channel_findings(cluster: "Cluster", channel: "Object") -> list["Finding"]:
    """Return what a channel says of itself, and what its platform says of its bot account."""
    from sympozium.chat.checks import Finding
    from sympozium.contract.channel import READY
    from sympozium.contract.errors import PermanentError
    from sympozium_local.cli.channel_objects import read_account
    from sympozium_local.cli.platforms import check_account, platform_info, platform_names

    found = []
    for condition in (channel.get("status") or {}).get("conditions") or ():
        if condition["type"] == READY:
            continue  # what the others come to
        said = condition.get("message") or condition.get("reason", "")
        is_good = condition["status"] == "True"
        found.append(Finding(condition["type"].lower(), is_good, said))
    platform = channel["spec"]["type"]
    if platform not in platform_names():
        return found
    try:
        account = read_account(cluster, channel)
    except PermanentError as error:
        return [*found, Finding("tokens", False, str(error))]
    return [*found, *check_account(platform_info(platform), account)]


def _channel(target: "Target", name: str) -> "Object":
    from sympozium_local.cli.channel_objects import channel_path

    return target.cluster.get(channel_path(target.namespace, name))


def _row(channel: "Object") -> tuple[str, ...]:
    spec, status = channel["spec"], channel.get("status") or {}
    states = {one["type"]: one["status"] for one in status.get("conditions") or ()}
    return (
        channel["metadata"]["name"],
        spec["type"],
        spec["agentRef"],
        states.get("Available", "-"),
        states.get("Connected", "-"),
        str(len(status.get("pairings") or ())),
    )


def _is_over(pairing: "Object") -> bool:
    from sympozium.contract.times import parse_kube_time
    from sympozium_local.cli.screen import now

    return parse_kube_time(pairing["expiresAt"]).timestamp() < now()
