"""All commands, and what `--help` says. Each command imports what it needs when it is run."""

import typer

from sympozium_local.cli import channels, chat, dead, debug, doctor, lifecycle, runs, show, status
from sympozium_local.cli.where import said_before

app = typer.Typer(
    name="sympozium",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""AI agents on Kubernetes, on this machine or in a cluster.

Start the system, ask it something, look at what it did:

    sympozium up --background

    sympozium chat "which pods run here?"

    sympozium runs list

    sympozium channel add slack

    KUBECONFIG=$(sympozium kubeconfig) kubectl get agents,agentruns,channels,pods

    KUBECONFIG=$(sympozium kubeconfig) kubectl get agentruns -w

Commands talk to the cluster that `--context` or `--kubeconfig` names; else to the system of
this machine, if it runs; else, as kubectl does, to the current context of `$KUBECONFIG` or
`~/.kube/config`. `-n` chooses a namespace there.

The state of this machine's system is kept in `$SYMPOZIUM_HOME` (default
`~/.local/state/sympozium`), the web chat listens on `$SYMPOZIUM_PORT` (default 8400). With
`OPENAI_API_KEY`, and if need be `OPENAI_BASE_URL` and `SYMPOZIUM_MODEL`, a real model answers;
without, a demonstration model. With `SYMPOZIUM_WEB_TOKEN` the web chat asks for it, also when
this command line talks to it.""",
)

app.callback()(said_before)
app.command("up")(lifecycle.up)
app.command("down")(lifecycle.down)
app.command("chat")(chat.chat)
app.add_typer(runs.app, name="runs")
app.add_typer(channels.app, name="channel")
app.add_typer(dead.app, name="dead")
app.command("doctor")(doctor.doctor)
app.command("status")(status.status)
app.add_typer(debug.app, name="debug")
app.command("kubeconfig")(show.kubeconfig)
app.command("crds")(show.crds)
app.command("version")(show.version)
app.command("clean")(lifecycle.clean)
