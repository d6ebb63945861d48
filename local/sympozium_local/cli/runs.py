"""`runs`: list, show, logs, cancel."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sympozium_local.cli.where import Where, somewhere

if TYPE_CHECKING:
    from sympozium.contract.resources import Object

app = typer.Typer(
    no_args_is_help=True,
    help="""What the agents did: every message is a run.

Examples: `sympozium runs list` | `sympozium runs show NAME` | `sympozium runs logs NAME -f` |
`sympozium runs cancel NAME`""",
)

Everywhere = Annotated[
    bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces that you may see.")
]
Output = Annotated[str, typer.Option("--output", "-o", help="`text` or `json`.")]
Name = Annotated[str, typer.Argument(help="Name of the run, as `runs list` shows it.")]
Limit = Annotated[int, typer.Option("--limit", "-l", min=1, help="The newest so many.")]
Container = Annotated[
    str,
    typer.Option("--container", "-c", help="`agent`, `ipc-bridge` or `skill-...`; all if none."),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on while the container runs.")]


@app.command("list")
@somewhere
def list_runs(
    where: Where, *, everywhere: Everywhere = False, output: Output = "text", limit: Limit = 30
) -> None:
    """List runs, the newest first."""
    from sympozium_local.cli.screen import ASKING, say, waiting
    from sympozium_local.cli.table import print_table
    from sympozium_local.cli.target import find_target

    _check(output)
    target = find_target(where)
    namespace = "" if everywhere else target.namespace
    with waiting(ASKING):
        runs = target.cluster.get(_path(namespace))["items"]
    runs.sort(key=lambda run: str(run["metadata"]["creationTimestamp"]), reverse=True)
    runs = runs[:limit]
    if output == "json":
        _print_json(runs)
    elif runs:
        rows = [("NAME", "AGENT", "PHASE", "REASON", "AGE", "TASK"), *map(_row, runs)]
        if everywhere:
            places = ["NAMESPACE", *(run["metadata"]["namespace"] for run in runs)]
            rows = [(place, *row) for place, row in zip(places, rows, strict=True)]
        print_table(rows)
    else:
        place = f"namespace '{namespace}'" if namespace else "any namespace"
        say(f'No runs in {place}. Start one: sympozium chat "hello"')


@app.command("show")
@somewhere
def show(where: Where, name: Name, output: Output = "text") -> None:
    """Show one run: what was asked, what came of it, why."""
    from sympozium_local.cli.screen import ASKING, waiting
    from sympozium_local.cli.target import find_target

    _check(output)
    target = find_target(where)
    with waiting(ASKING):
        run = target.cluster.get(_path(target.namespace, name))
    if output == "json":
        _print_json(run)
        return
    spec, status = run["spec"], run.get("status") or {}
    usage, error = status.get("usage") or {}, status.get("error") or _queued(status)
    facts = {
        "name": name,
        "agent": spec["agentRef"],
        "phase": status.get("phase"),
        "reason": error.get("reason"),
        "why": error.get("message"),
        "model": status.get("model") or (spec.get("model") or {}).get("model"),
        "tokens": f"{usage.get('inputTokens', 0)} in, {usage.get('outputTokens', 0)} out"
        if usage
        else None,
        "blocked": status.get("blockedConnections"),
        "conversation": (spec.get("source") or {}).get("conversation"),
        "created": run["metadata"]["creationTimestamp"],
        "started": status.get("startedAt"),
        "finished": status.get("finishedAt"),
        "task": spec["task"],
        "result": status.get("result"),
    }
    for key, value in facts.items():
        if value:
            sys.stdout.write(f"{key + ':':<14}{_indented(str(value))}\n")


@app.command("logs")
@somewhere
def logs(where: Where, name: Name, container: Container = "", follow: Follow = False) -> None:
    """Print what a run's containers wrote: agent, bridge and skills.

    Of several containers one log follows the other; with --follow they go side by side, each line
    with its container's name.
    """
    from sympozium_local.cli.run_logs import find_logs, follow_side_by_side, print_one_by_one
    from sympozium_local.cli.screen import ASKING, waiting
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    with waiting(ASKING):
        target.cluster.get(_path(target.namespace, name))
        found = find_logs(target.cluster, target.namespace, name, container)
    if follow:
        follow_side_by_side(found)
    else:
        print_one_by_one(found)


@app.command("cancel")
@somewhere
def cancel(where: Where, name: Name) -> None:
    """End a run. Who waits for its answer is told that it was cancelled."""
    from sympozium.contract.agentrun import TERMINAL_PHASES
    from sympozium.contract.errors import PermanentError
    from sympozium_local.cli.screen import ASKING, say, waiting
    from sympozium_local.cli.target import find_target

    target = find_target(where)
    cluster, namespace = target.cluster, target.namespace
    with waiting(ASKING):
        run = cluster.get(_path(namespace, name))
    phase = (run.get("status") or {}).get("phase", "Pending")
    if phase in TERMINAL_PHASES:
        raise PermanentError(f"cannot cancel run {name!r}: it ended already ({phase})")
    with waiting(ASKING):
        cluster.patch(_path(namespace, name), {"spec": {"cancel": True}})
    say(f"Run '{name}' is being cancelled.")


def _path(namespace: str, name: str = "") -> str:
    from sympozium.contract.resources import AGENT_RUNS
    from sympozium_local.cli.paths import path_of

    return path_of(AGENT_RUNS, namespace, name)


def _check(output: str) -> None:
    if output not in {"text", "json"}:
        raise typer.BadParameter(f"{output!r} is no output format; use text or json")


def _queued(status: "Object") -> "Object":
    """Return the condition that says what a run waits for; {} where it does not wait."""
    conditions = status.get("conditions") or []
    return next((one for one in conditions if one["type"] == "Queued"), {})


def _row(run: "Object") -> tuple[str, ...]:
    from sympozium.contract.times import parse_kube_time
    from sympozium_local.cli.screen import age, now

    status = run.get("status") or {}
    created = parse_kube_time(run["metadata"]["creationTimestamp"]).timestamp()
    task = " ".join(run["spec"]["task"].split())
    return (
        run["metadata"]["name"],
        run["spec"]["agentRef"],
        status.get("phase", ""),
        (status.get("error") or _queued(status)).get("reason", ""),
        age(now() - created),
        task if len(task) <= 50 else task[:49] + "…",
    )


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _indented(text: str) -> str:
    return text.replace("\n", "\n" + " " * 14)
