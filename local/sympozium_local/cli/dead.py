"""`dead`: messages that were given up, and what to do with them."""

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from sympozium_local.cli.where import Where, at_cluster

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sympozium.contract.operate import Action, DeadEntry
    from sympozium_local.cli.operator import Operator

app = typer.Typer(
    no_args_is_help=True,
    help="""Messages that were given up: look at them, put them through again, drop them.

Examples: `sympozium dead list` | `sympozium dead show 17` | `sympozium dead retry 17` |
`sympozium dead retry --all --name telegram` | `sympozium dead drop 17 --yes`

They are asked for over the bus, as the operator: whoever may create a token of the
ServiceAccount `sympozium-operator`; the role `sympozium-operate` has that right. Where the bus
is outside of the cluster, use `--nats-url` and a token in the file that
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

Answer = TypeVar("Answer")
STREAMS = ("INBOX", "OUTBOX", "RUNS")


@app.command("list")
@at_cluster
def list_letters(
    where: Where,
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

    filters = _filters(stream, namespace, name)
    letters = _asked(where, nats_url, lambda at_bus: _listed(at_bus, filters))
    if as_json:
        _print_json([_facts(one) for one in letters])
    elif letters:
        heading = ("ID", "NAMESPACE", "STREAM", "NAME", "REFERENCE", "AGE", "TRIES", "REASON")
        print_table([heading, *map(_row, letters)])
    else:
        say("No dead letters.")


@app.command("show")
@at_cluster
def show(where: Where, id_: Id, nats_url: Url = "", as_json: AsJson = False) -> None:
    """Show one dead letter with what is kept of the message; secrets are left out."""
    from sympozium.contract.operate import Action, DeadRequest

    request = DeadRequest(action=Action.SHOW, id=id_)
    answer = _asked(where, nats_url, lambda at_bus: at_bus.ask(request))
    (letter,), text = answer.letters, answer.text
    if as_json:
        _print_json({**_facts(letter), "message": text})
        return
    for key, value in _facts(letter).items():
        sys.stdout.write(f"{key + ':':<12}{value}\n")
    sys.stdout.write(f"\n{text}\n")


@app.command("retry")
@at_cluster
def retry(
    where: Where,
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

    wanted = _wanted(ids, _filters(stream, namespace, name), every=every)
    _do(where, nats_url, Action.RETRY, wanted)


@app.command("drop")
@at_cluster
def drop(
    where: Where,
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
    wanted = _wanted(ids, _filters(stream, namespace, name), every=every)
    _do(where, nats_url, Action.DROP, wanted)


def _filters(stream: str, namespace: str, name: str) -> dict[str, str]:
    if stream and stream.upper() not in STREAMS:
        raise typer.BadParameter(f"{stream!r} is no stream; use {', '.join(STREAMS)}")
    return {"stream": stream.upper(), "namespace": namespace, "name": name}


def _wanted(
    ids: list[int] | None, filters: dict[str, str], *, every: bool
) -> list[int] | dict[str, str]:
    """Return the ids that were named, or the filters that choose among all."""
    if bool(ids) == every:
        raise typer.BadParameter("say which: ids, or --all, with filters if need be")
    if ids and any(filters.values()):
        raise typer.BadParameter("filters are for --all; an id says which by itself")
    return ids or filters


def _do(where: Where, nats_url: str, action: "Action", wanted: list[int] | dict[str, str]) -> None:
    from sympozium_local.cli.screen import say

    results = _asked(where, nats_url, lambda at_bus: _tried(at_bus, action, wanted))
    for id_, is_done, text in results:
        say(f"{id_}: {text}" if is_done else f"{id_}: NOT DONE: {text}")
    if not results:
        say("No dead letters.")
    raise typer.Exit(0 if all(is_done for _, is_done, _ in results) else 1)


def _asked(where: Where, nats_url: str, ask: "Callable[[Operator], Awaitable[Answer]]") -> "Answer":
    """Return what *ask* returns when it is given a connection as the operator."""
    from sympozium_local.cli.operator import bus_door, operator
    from sympozium_local.cli.screen import ASKING, waiting

    async def connected() -> Answer:
        async with operator(door) as at_bus:
            return await ask(at_bus)

    with waiting(ASKING), bus_door(where, nats_url) as door:
        return asyncio.run(connected())


async def _listed(at_bus: "Operator", filters: dict[str, str]) -> "list[DeadEntry]":
    import msgspec

    from sympozium.contract.operate import Action, DeadRequest

    found: list[DeadEntry] = []
    since = 1
    while since:
        request = DeadRequest(action=Action.LIST, since=since)
        answer = await at_bus.ask(msgspec.structs.replace(request, **filters))
        found += answer.letters
        since = answer.more_since
    return found


async def _tried(
    at_bus: "Operator", action: "Action", wanted: list[int] | dict[str, str]
) -> list[tuple[int, bool, str]]:
    """Do *action* with each that is *wanted*; return which, whether it was done, a sentence."""
    if isinstance(wanted, dict):
        wanted = [letter.id for letter in await _listed(at_bus, wanted)]
    return [await _one(at_bus, action, id_) for id_ in wanted]


async def _one(at_bus: "Operator", action: "Action", id_: int) -> tuple[int, bool, str]:
    from sympozium.contract.errors import PermanentError
    from sympozium.contract.operate import DeadRequest

    try:
        return id_, True, (await at_bus.ask(DeadRequest(action=action, id=id_))).done
    except PermanentError as error:
        return id_, False, str(error)


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
        "reference": letter.reference,
    }


def _row(letter: "DeadEntry") -> tuple[str, ...]:
    from sympozium_local.cli.screen import age, now

    return (
        str(letter.id),
        letter.namespace,
        letter.stream,
        letter.name,
        letter.reference,
        age(now() - letter.time.timestamp()),
        str(letter.attempts),
        letter.reason if len(letter.reason) <= 80 else letter.reason[:79] + "…",
    )


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
