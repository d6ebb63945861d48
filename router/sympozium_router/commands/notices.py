"""What people read when they ask the system and not an agent.

A sentence or a list, which reads as well where nobody makes a list of it, without
anything else that some platform's markup would act on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sympozium.chat.commands import COMMANDS
from sympozium.contract.names import RunName
from sympozium.contract.run_events import Usage
from sympozium_router.outbox.wording import quoted

DEFAULT = "default"
"""What is written after `model` or `agents` to choose nothing."""

NEW = "Starting over: what was said here before is forgotten. Work that goes on is not stopped."
NOTHING_TO_STOP = "Nothing is being worked on here."

MAX_LISTED = 10
"""Messages that wait and are named; who floods a conversation must not fill it with their list."""

MAX_BEGINNING_CHARS = 40

_NO_WORD = re.compile(r"[^\w\s,;?'-]|_")


@dataclass(frozen=True)
class AtWork:
    """A message that is worked on.

    Attributes:
        since: How long; None: it is not known to have begun.
    """

    run_name: RunName
    agent: str
    since: timedelta | None


@dataclass(frozen=True)
class Waiting:
    """A message that nobody works on yet.

    Attributes:
        name: What it is stopped by.
        text: What was written; its beginning is shown, so that people know it again.
    """

    name: str
    text: str


def help_text(unknown: str = "") -> str:
    """Return what can be asked for; with *unknown*, that there is no such command."""
    begin = f"There is no command {quoted(unknown)}. " if unknown else ""
    lines = [
        f"- {command.name}{f' ({command.argument})' if command.argument else ''}: "
        f"{command.description}"
        for command in COMMANDS
    ]
    return f"{begin}What can be asked for:\n\n" + "\n".join(lines)


def stopped(at_work: Sequence[str], waiting: Sequence[Waiting]) -> str:
    """Return what was stopped: runs at work, and messages that waited."""
    parts = [", ".join(at_work)] if at_work else []
    if waiting:
        count = _count(len(waiting), "message that waited", "messages that waited")
        parts.append(f"{count} ({', '.join(_told(one) for one in _listed(waiting))})")
    return f"Stopped: {' and '.join(parts)}." if parts else NOTHING_TO_STOP


def status(at_work: Sequence[AtWork], waiting: Sequence[Waiting]) -> str:
    """Return what is being worked on, and what waits, each with the name to stop it by."""
    lines = [_work(one) for one in at_work]
    lines += [f"{_told(one)} waits for its turn." for one in _listed(waiting)]
    if (more := len(waiting) - MAX_LISTED) > 0:
        lines.append(f"{_count(more, 'more waits', 'more wait')}.")
    if waiting:
        lines.append("To stop one: !stop and its name.")
    if len(lines) > 1:
        return "\n".join(f"- {line}" for line in lines)
    return lines[0] if lines else NOTHING_TO_STOP


def cost(usage: Usage) -> str:
    """Return what a conversation has used."""
    total = usage.input_tokens + usage.output_tokens
    if not total:
        return "This conversation has used no tokens yet."
    return (
        f"This conversation has used {total:,} tokens: {usage.input_tokens:,} for what the model "
        f"read and {usage.output_tokens:,} for what it wrote."
    )


def models(chosen: str, own: str, choices: Sequence[str], unknown: str = "") -> str:
    """Return which model answers, and which can be chosen."""
    return _choice_of("model", chosen or own or "of the agent", choices, unknown)


def model_chosen(name: str) -> str:
    """Return that a model was chosen; an empty *name*: none."""
    which = quoted(name) if name else "that of the agent"
    return f"From the next message on the model here is {which}."


def agents(answering: str, choices: Sequence[str], unknown: str = "") -> str:
    """Return which agent answers, and which can be chosen."""
    return _choice_of("agent", answering, choices, unknown)


def agent_chosen(name: str, answering: str) -> str:
    """Return that an agent was chosen; an empty *name*: none, and *answering* answers."""
    which = quoted(name) if name else f"{quoted(answering)}, as this channel's rules say"
    return f"From the next message on the agent here is {which}."


def _choice_of(what: str, current: str, choices: Sequence[str], unknown: str) -> str:
    begin = f"There is no {what} {quoted(unknown)} here. " if unknown else ""
    now = f"The {what} here is {quoted(current)}."
    if len(choices) < 2 and (not choices or choices[0] == current):
        return f"{begin}{now} No other can be chosen."
    listed = ", ".join(quoted(choice) for choice in choices)
    return f"{begin}{now} Can be chosen: {listed}; or {DEFAULT}, to choose none."


def _work(one: AtWork) -> str:
    since = f"for {_span(one.since)}" if one.since is not None else "about to begin"
    return f"{one.run_name}: agent {quoted(one.agent)}, {since}."


def _listed(waiting: Sequence[Waiting]) -> Sequence[Waiting]:
    return waiting[:MAX_LISTED]


def _told(one: Waiting) -> str:
    beginning = _beginning(one.text)
    return f'{one.name} "{beginning}"' if beginning else one.name


def _beginning(text: str) -> str:
    """Return the first words of *text*, with nothing that a platform's markup would act on."""
    words = " ".join(_NO_WORD.sub(" ", text[: 4 * MAX_BEGINNING_CHARS]).split())
    if len(words) <= MAX_BEGINNING_CHARS:
        return words
    return words[: MAX_BEGINNING_CHARS - 1].rstrip() + "…"


def _span(span: timedelta) -> str:
    minutes, seconds = divmod(max(0, int(span.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
