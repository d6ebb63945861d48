"""`dead`: messages that were given up, and what to do with them."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sympozium.contract.operate import Action, DeadAnswer, DeadEntry, DeadRequest
    from sympozium_local.cli.operator import Operator

app = typer.Typer(
    no_args_is_help=True,
    help="""Messages that were given up: look at them, put them through again, drop them.

Examples: `sympozium dead list` | `sympozium dead show 17` | `sympozium dead retry 17` |
`sympozium dead retry --all --name telegram` | `sympozium dead drop 17 --yes`

They are asked for over the bus, as the operator: here with the rights of this system's
kubeconfig; elsewhere with `--nats-url` and a token in the file that
`SYMPOZIUM_NATS_TOKEN_FILE` names (`kubectl -n sympozium-system create token
sympozium-operator --audience nats`).""",
)

Ids = Annotated[list[int] | None, typer.Argument(help="As `dead list` shows them.", min=1)]
Id = Annotated[int, typer.Argument(help="As `dead list` shows it.", min=1)]
All = Annotated[bool, typer.Option("--all", help="All that the filters let through.")]
Stream = Annotated[str, typer.Option(help="Only of `INBOX`, `OUTBOX` or `RUNS`.")]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Only of this namespace.")]
Name = Annotated[str, typer.Option(help="Only of this channel, or of the run of this uid.")]
Url = Annotated[
    str,
    typer.Option(
        "--nats-url", envvar="SYMPOZIUM_NATS_URL", help="The bus; else that of this system."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]

STREAMS = ("INBOX", "OUTBOX", "RUNS")


@app.command("list")
def list_letters(
    *,
    stream: Stream = "",
    namespace: Namespace = "",
    name: Name = "",
    nats_url: Url = "",
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first: of whom, since when, why, after how many tries."""
    from sympozium_local.cli.screen import say
    from sympozium_local.cli.table import print_table

    letters = asyncio.run(_listed(nats_url, _filters(stream, namespace, name)))
    if as_json:
        _print_json([_facts(one) for one in letters])
    elif letters:
        heading = ("ID", "NAMESPACE", "STREAM", "NAME", "AGE", "TRIES", "REASON")
        print_table([heading, *map(_row, letters)])
    else:
        say("No dead letters.")


@app.command("show")
def show(id_: Id, nats_url: Url = "", as_json: AsJson = False) -> None:
    """Show one dead letter with what is kept of the message; secrets are left out."""
    from sympozium.contract.operate import Action, DeadRequest

    answer = asyncio.run(_shown(nats_url, DeadRequest(action=Action.SHOW, id=id_)))
    (letter,), text = answer.letters, answer.text
    if as_json:
        _print_json({**_facts(letter), "message": text})
        return
    for key, value in _facts(letter).items():
        sys.stdout.write(f"{key + ':':<12}{value}\n")
    sys.stdout.write(f"\n{text}\n")


@app.command("retry")
def retry(
    ids: Ids = None,
    *,
    every: All = False,
    stream: Stream = "",
    namespace: Namespace = "",
    name: Name = "",
    nats_url: Url = "",
) -> None:
    """Put dead letters through again: a message is worked on anew, an answer is sent anew.

    However often it is done, one message gets one run. Exit code: 0 all of them, 1 not all.
    """
    from sympozium.contract.operate import Action

    filters = _filters(stream, namespace, name)
    _do(nats_url, Action.RETRY, _wanted(nats_url, ids, filters, every=every))


@app.command("drop")
def drop(
    ids: Ids = None,
    *,
    every: All = False,
    stream: Stream = "",
    namespace: Namespace = "",
    name: Name = "",
    nats_url: Url = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Needed: it is for good.")] = False,
) -> None:
    """Delete dead letters for good."""
    from sympozium.contract.operate import Action

    if not yes:
        raise typer.BadParameter("what is dropped is gone for good; say --yes if that is meant")
    filters = _filters(stream, namespace, name)
    _do(nats_url, Action.DROP, _wanted(nats_url, ids, filters, every=every))


def _filters(stream: str, namespace: str, name: str) -> dict[str, str]:
    if stream and stream.upper() not in STREAMS:
        raise typer.BadParameter(f"{stream!r} is no stream; use {', '.join(STREAMS)}")
    return {"stream": stream.upper(), "namespace": namespace, "name": name}


def _wanted(
    nats_url: str, ids: list[int] | None, filters: dict[str, str], *, every: bool
) -> list[int]:
    if bool(ids) == every:
        raise typer.BadParameter("say which: ids, or --all, with filters if need be")
    if ids and any(filters.values()):
        raise typer.BadParameter("filters are for --all; an id says which by itself")
    return ids or [letter.id for letter in asyncio.run(_listed(nats_url, filters))]


def _do(nats_url: str, action: "Action", ids: "Sequence[int]") -> None:
    from sympozium_local.cli.screen import say

    results = asyncio.run(_tried(nats_url, action, ids))
    for id_, (is_done, text) in zip(ids, results, strict=True):
        say(f"{id_}: {text}" if is_done else f"{id_}: NOT DONE: {text}")
    if not ids:
        say("No dead letters.")
    raise typer.Exit(0 if all(is_done for is_done, _ in results) else 1)


async def _listed(nats_url: str, filters: dict[str, str]) -> "list[DeadEntry]":
    import msgspec

    from sympozium.contract.operate import Action, DeadRequest
    from sympozium_local.cli.operator import find_door, operator

    found: list[DeadEntry] = []
    since = 1
    async with operator(find_door(nats_url)) as at_bus:
        while since:
            request = DeadRequest(action=Action.LIST, since=since)
            answer = await at_bus.ask(msgspec.structs.replace(request, **filters))
            found += answer.letters
            since = answer.more_since
    return found


async def _shown(nats_url: str, request: "DeadRequest") -> "DeadAnswer":
    from sympozium_local.cli.operator import find_door, operator

    async with operator(find_door(nats_url)) as at_bus:
        return await at_bus.ask(request)


async def _tried(nats_url: str, action: "Action", ids: "Sequence[int]") -> list[tuple[bool, str]]:
    """Do *action* with each of *ids*; return whether it was done, and a sentence."""
    from sympozium_local.cli.operator import find_door, operator

    async with operator(find_door(nats_url)) as at_bus:
        return [await _one(at_bus, action, id_) for id_ in ids]


async def _one(at_bus: "Operator", action: "Action", id_: int) -> tuple[bool, str]:
    from sympozium.contract.errors import PermanentError
    from sympozium.contract.operate import DeadRequest

    try:
        return True, (await at_bus.ask(DeadRequest(action=action, id=id_))).done
    except PermanentError as error:
        return False, str(error)


def _facts(letter: "DeadEntry") -> dict[str, str | int]:
    return {
        "id": letter.id,
        "namespace": letter.namespace,
        "stream": letter.stream,
        "name": letter.name,
        "sequence": letter.sequence,
        "time": letter.time.isoformat(timespec="seconds"),
        "attempts": letter.attempts,
        "reason": letter.reason,
        "size": letter.size_bytes,
    }


def _row(letter: "DeadEntry") -> tuple[str, ...]:
    from sympozium_local.cli.screen import age, now

    return (
        str(letter.id),
        letter.namespace,
        letter.stream,
        letter.name,
        age(now() - letter.time.timestamp()),
        str(letter.attempts),
        letter.reason if len(letter.reason) <= 80 else letter.reason[:79] + "…",
    )


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
