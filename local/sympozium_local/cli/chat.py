"""`chat`: one message, or a conversation."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from sympozium_local.cli.where import Where, somewhere

if TYPE_CHECKING:
    from pathlib import Path

    from sympozium_local.cli.asking import Answer
    from sympozium_local.cli.web_door import WebDoor

DEFAULT_CONVERSATION = "terminal"

Message = Annotated[
    str | None, typer.Argument(help="What to say; without it: a prompt.", show_default=False)
]
Conversation = Annotated[
    str, typer.Option("--conversation", "-c", help="Which conversation goes on.")
]
Channel = Annotated[
    str, typer.Option("--channel", help="The web Channel; else the only one there is.")
]
Url = Annotated[
    str,
    typer.Option(
        "--url", metavar="URL", help="A web chat at this address, whatever cluster it is of."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the end of the message as JSON.")]


@somewhere
def chat(
    where: Where,
    *,
    message: Message = None,
    conversation: Conversation = DEFAULT_CONVERSATION,
    channel: Channel = "",
    url: Url = "",
    as_json: AsJson = False,
) -> None:
    """Talk to the agent. The answer streams to standard output, tools are told on standard error.

    In a cluster it reaches the web Channel's pod through the API server, with the token that the
    Channel's Secret holds or `SYMPOZIUM_WEB_TOKEN`.

    Exit code: 0 answered, 1 an error came instead, 2 wrong usage, 3 the system does not run.

    Examples: `sympozium chat "which pods run here?"` | `sympozium chat "and the second one?"` |
    `sympozium chat -c work` (a prompt; /new starts a fresh conversation, /quit or Ctrl-D leaves) |
    `sympozium chat --context prod -n team-a "hello"`
    """
    from sympozium.contract.names import is_conversation_id

    if not is_conversation_id(conversation):
        raise typer.BadParameter(
            f"{conversation!r} cannot name a conversation; use 1 to 64 of A-Z a-z 0-9 . _ -"
        )
    if message is not None and not message.strip():
        raise typer.BadParameter("the message is empty; say something")
    with _door(where, channel, url) as door:
        if message is None:
            _converse(door, conversation)
            return
        answer = _ask(door, conversation, message, as_json=as_json)
    raise typer.Exit(1 if answer.error else 0)


@contextmanager
def _door(where: Where, channel: str, url: str) -> "Iterator[WebDoor]":
    from sympozium_local.cli.screen import ASKING, waiting
    from sympozium_local.cli.target import find_target
    from sympozium_local.cli.web_door import door_at, web_door

    if url:
        yield door_at(url)
        return
    with ExitStack() as stack:
        with waiting(ASKING):
            door = stack.enter_context(web_door(find_target(where), channel))
        yield door


def _ask(door: "WebDoor", conversation: str, message: str, *, as_json: bool) -> "Answer":
    from sympozium_local.cli.asking import ask
    from sympozium_local.cli.screen import say, styled
    from sympozium_local.cli.web_chat import WebChat

    answer = ask(WebChat(door, conversation), message, stream=None if as_json else sys.stdout)
    if as_json:
        say(_as_json(conversation, answer), stream=sys.stdout)
    elif answer.error:
        say(styled(answer.error, "31"))
    return answer


def _as_json(conversation: str, answer: "Answer") -> str:
    import json

    error = {"code": answer.error_code, "message": answer.error} if answer.error else None
    return json.dumps(
        {
            "conversation": conversation,
            "message_id": answer.message_id,
            "text": answer.text,
            "error": error,
        },
        ensure_ascii=False,
    )


def _converse(door: "WebDoor", conversation: str) -> None:
    import secrets

    from sympozium_local.cli.screen import say
    from sympozium_local.cli.web_chat import ChatRefusedError, ChatUnavailableError
    from sympozium_local.system.home import find_home

    _use_history(find_home().path / "chat_history")
    say(f"Conversation '{conversation}'. /new starts a fresh one, /quit leaves.")
    while True:
        try:
            line = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if line in {"/quit", "/exit"}:
            return
        if line == "/new":
            conversation = f"{DEFAULT_CONVERSATION}-{secrets.token_hex(4)}"
            say(f"Conversation '{conversation}'.")
        elif line.startswith("/"):
            say(f"There is no {line.split()[0]!r}; there are /new and /quit.")
        elif line:
            try:
                _ask(door, conversation, line, as_json=False)
            except (ChatRefusedError, ChatUnavailableError) as error:
                say(str(error))


def _use_history(path: "Path") -> None:
    """Let the prompt remember lines, across starts, where the terminal library is there."""
    import atexit
    import contextlib

    if not sys.stdin.isatty() or not path.parent.exists():
        return
    try:
        import readline
    except ImportError:
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(1000)
    atexit.register(readline.write_history_file, path)
