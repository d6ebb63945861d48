"""What each command is answered, and what it changes: pure decisions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sympozium.contract.messages import Choice, Command
from sympozium.contract.names import reference_of
from sympozium.contract.run_events import Usage
from sympozium.store.ports import Cut, Message, Scene, Talk
from sympozium_router.commands import notices
from sympozium_router.commands.notices import MAX_LISTED, AtWork, Waiting
from sympozium_router.runs.turns import cut

MAX_CHOICES = 20
"""Discord shows 25 buttons at most; what is beyond can be written."""


@dataclass(frozen=True)
class Asked:
    """A command, and what its answer depends on beside the messages.

    Attributes:
        sequence: The command's place in INBOX.
        agents: Those behind the channel that exist.
        by_rule: The one that answers its sender there where nobody is chosen.
        own_model: The model of the Agent that answers.
        usage: What the conversation has used.
    """

    command: Command
    sequence: int
    agents: Sequence[str]
    models: Sequence[str]
    by_rule: str
    own_model: str
    usage: Usage
    now: datetime


@dataclass(frozen=True)
class Answer:
    """What is said, and what is so from then on.

    Attributes:
        changed: Open messages as they are to be.
        talk: What is chosen; None: as before.
    """

    text: str
    choices: tuple[Choice, ...] = ()
    is_private: bool = False
    changed: Sequence[Message] = ()
    talk: Talk | None = None


def answer(asked: Asked, scene: Scene) -> Answer:
    """Return the answer to a command; to one that is not known, what can be asked for."""
    return _ANSWERS.get(asked.command.name, _unknown)(asked, scene)


def _help(_asked: Asked, _scene: Scene) -> Answer:
    return Answer(notices.help_text(), is_private=True)


def _unknown(asked: Asked, _scene: Scene) -> Answer:
    return Answer(notices.help_text(asked.command.name), is_private=True)


def _new(asked: Asked, scene: Scene) -> Answer:
    return Answer(notices.NEW, talk=replace(scene.talk, since=asked.sequence))


def _stop(asked: Asked, scene: Scene) -> Answer:
    wanted = asked.command.arguments.strip()
    targets = [one for one in scene.open if not wanted or _name(one) == wanted]
    changed = cut(targets, Cut.STOPPED)
    at_work = [_name(one) for one in changed if _is_at_work(one, scene)]
    waiting = [_waiting(one) for one in changed if not _is_at_work(one, scene)]
    return Answer(notices.stopped(at_work, waiting), changed=changed)


def _status(asked: Asked, scene: Scene) -> Answer:
    working = [one for one in scene.open if _is_at_work(one, scene)]
    waiting = [one for one in scene.open if not (one.cut or _is_at_work(one, scene))]
    lines = [
        AtWork(one.run_name, one.agent, asked.now - one.begun_at if one.begun_at else None)
        for one in working
    ]
    text = notices.status(lines, [_waiting(one) for one in waiting])
    return Answer(text, choices=_stops([*working, *waiting[:MAX_LISTED]]))


def _stops(messages: Sequence[Message]) -> tuple[Choice, ...]:
    """Return a button for each message; where there are several, it says for which."""
    names = [_name(one) for one in messages][:MAX_CHOICES]
    return tuple(
        Choice(
            label="Stop" if len(names) == 1 else f"Stop {name}",
            command=Command(name="stop", arguments=name),
        )
        for name in names
    )


def _is_at_work(message: Message, scene: Scene) -> bool:
    """Return whether its run has begun, or nothing of the conversation keeps it from it."""
    is_first = message.id == scene.open[0].id
    return bool(message.run_name and (message.begun_at or is_first))


def _name(message: Message) -> str:
    """Return what a message is stopped by."""
    return reference_of(message.run_name, message.id)


def _waiting(message: Message) -> Waiting:
    return Waiting(_name(message), message.inbound.text)


def _cost(asked: Asked, _scene: Scene) -> Answer:
    return Answer(notices.cost(asked.usage))


def _model(asked: Asked, scene: Scene) -> Answer:
    wanted, models = asked.command.arguments, asked.models
    if wanted == notices.DEFAULT or wanted in models:
        name = "" if wanted == notices.DEFAULT else wanted
        return Answer(notices.model_chosen(name), talk=replace(scene.talk, model=name))
    chosen = scene.talk.model if scene.talk.model in models else ""
    text = notices.models(chosen, asked.own_model, models, unknown=wanted)
    return Answer(text, choices=_choices("model", models), is_private=True)


def _agents(asked: Asked, scene: Scene) -> Answer:
    wanted, agents = asked.command.arguments.removeprefix("@"), asked.agents
    if wanted in agents or wanted == notices.DEFAULT:
        name = wanted if wanted in agents else ""
        text = notices.agent_chosen(name, asked.by_rule)
        return Answer(text, talk=replace(scene.talk, agent=name))
    answering = scene.talk.agent if scene.talk.agent in agents else asked.by_rule
    text = notices.agents(answering, agents, unknown=wanted)
    choices = _choices("agents", agents) if len(agents) > 1 else ()
    return Answer(text, choices=choices, is_private=True)


def _choices(command: str, names: Sequence[str]) -> tuple[Choice, ...]:
    return tuple(
        Choice(label=name, command=Command(name=command, arguments=name))
        for name in names[:MAX_CHOICES]
    )


_ANSWERS: dict[str, Callable[[Asked, Scene], Answer]] = {
    "new": _new,
    "stop": _stop,
    "status": _status,
    "cost": _cost,
    "model": _model,
    "agents": _agents,
    "help": _help,
    "start": _help,  # what Telegram sends for a person who opens a chat with the bot
}
