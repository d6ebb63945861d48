"""The first question: shows that the system answers, and what to do with it next."""

import shutil
import sys
from pathlib import Path

import typer

from sympozium_local.cli.asking import ask
from sympozium_local.cli.instance import need_instance
from sympozium_local.cli.screen import say, styled
from sympozium_local.cli.target import find_target
from sympozium_local.cli.web_chat import WebChat
from sympozium_local.cli.web_door import web_door
from sympozium_local.cli.where import Where

CONVERSATION = "first-steps"


def ask_first_question(question: str) -> None:
    """Ask, stream the answer, and tell how to go on; exit code 1 if no answer came."""
    instance = need_instance()
    say("")
    say(styled(f"> {question}", "1"))
    with web_door(find_target(Where())) as door:
        answer = ask(WebChat(door, CONVERSATION), question, stream=sys.stdout)
    if answer.error:
        say(f"There was no answer: {answer.error}")
        say("Look at `sympozium status` and `sympozium runs list`.")
        raise typer.Exit(1)
    program = _beside("sympozium")
    say(f"""
{styled("Web chat", "1")}    {instance.url}
{styled("Kubeconfig", "1")}  {instance.home.kubeconfig}

Try:
  {program} chat "and the second one?" -c {CONVERSATION}
  {program} runs list
  KUBECONFIG=$({program} kubeconfig) {_beside("kubectl")} get agents,agentruns,channels,pods -A

Stop: make down, or {program} down""")


def _beside(program: str) -> str:
    """Return how a program of this environment is called from where the user is."""
    path = Path(sys.executable).with_name(program)
    if not path.exists() or shutil.which(program) is not None:
        return program
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
