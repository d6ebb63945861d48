"""`up`, `down` and `clean`."""

import sys
from typing import Annotated

import typer

Background = Annotated[
    bool, typer.Option("--background", "-b", help="Return when the system is ready.")
]
Question = Annotated[
    str,
    typer.Option(
        "--ask",
        metavar="QUESTION",
        help="With --background: ask this when ready, exit 0 if answered.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def up(background: Background = False, ask: Question = "") -> None:
    """Start the system: bus, cluster, controller, router, web chat.

    In the foreground its logs are on the screen and Ctrl-C stops it; with --background it
    runs on until `sympozium down`.

    Examples: `sympozium up` | `sympozium up -b` | `SYMPOZIUM_PORT=9000 sympozium up -b` |
    `OPENAI_API_KEY=... SYMPOZIUM_MODEL=gpt-5 sympozium up -b`
    """
    if ask and not background:
        raise typer.BadParameter("--ask needs --background: in the foreground nobody could answer")
    if background:
        from sympozium_local.cli.starting import start_in_background

        start_in_background()
        if ask:
            from sympozium_local.cli.first_question import ask_first_question

            ask_first_question(ask)
    else:
        from sympozium_local.cli.foreground import run_in_foreground

        run_in_foreground()


def down() -> None:
    """Stop the system within 5 seconds. Everything it keeps is there at the next start.

    What is at work is given most of that time to end; what has not ended by then is killed, which
    is said, and goes on at the next start.
    """
    from sympozium_local.cli.instance import find_instance, remove_traces_of, stop_instance
    from sympozium_local.cli.screen import say, waiting
    from sympozium_local.system.home import find_home

    instance = find_instance()
    if instance is None:
        remove_traces_of(find_home())
        say(f"Nothing runs in {find_home().path}.")
        return
    with waiting("stopping"):
        stopped = stop_instance(instance)
        remove_traces_of(instance.home)
    say(f"{stopped} What it kept is in {instance.home.path}, for the next start to go on with.")


def clean(yes: Yes = False) -> None:
    """Stop the system and delete everything that it keeps: objects, conversations, logs."""
    from sympozium_local.cli.instance import (
        delete_home,
        find_instance,
        remove_traces_of,
        stop_instance,
    )
    from sympozium_local.cli.screen import say, waiting
    from sympozium_local.system.home import find_home

    home = find_home()
    if not home.path.exists():
        remove_traces_of(home)
        say(f"Nothing to delete: there is no {home.path}.")
        return
    _refuse_strange(home.lock.exists() or not any(home.path.iterdir()), str(home.path))
    if not yes:
        _ask(f"Delete all objects, conversations and logs in {home.path}?")
    instance = find_instance()
    if instance is not None:
        with waiting("stopping"):
            stopped = stop_instance(instance)
        say(str(stopped))
    with waiting("deleting"):
        remove_traces_of(home)
        delete_home(home)
    say(f"Deleted {home.path}.")


def _ask(question: str) -> None:
    from sympozium.contract.errors import PermanentError

    if not sys.stdin.isatty():
        raise PermanentError(
            "cannot ask whether to delete: standard input is no terminal; add --yes if you are sure"
        )
    if not typer.confirm(question):
        raise typer.Exit(1)


def _refuse_strange(is_ours: bool, path: str) -> None:
    from sympozium.contract.errors import PermanentError

    if not is_ours:
        raise PermanentError(
            f"cannot delete '{path}': Sympozium never kept its state there; "
            "look at what SYMPOZIUM_HOME says"
        )
