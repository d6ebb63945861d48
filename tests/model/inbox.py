"""From the platform to INBOX, and from there to what becomes durable of a message."""

from collections.abc import Iterator

from tests.model import stops
from tests.model.rules import Rules
from tests.model.state import Ask, Held, Letter, Message, Phase, Run, State

Step = tuple[str, State]

ROUTERS = ("held", "other")
"""Fields of a letter: who may be at it."""


def platform_to_inbox(state: State, rules: Rules) -> Iterator[Step]:
    """Yield what a channel does with what is said."""
    for index, event in enumerate(state.events):
        if event.held is Held.NO and event.is_confirmed and not event.repeats:
            continue
        name = f"message {event.message}"
        match event.held:
            case Held.NO if not event.is_confirmed:
                yield f"{name}: delivered", state.with_event(index, held=Held.TAKEN)
            case Held.NO if event.repeats:
                again = state.with_event(index, held=Held.TAKEN, repeats=event.repeats - 1)
                yield f"{name}: delivered again", again
            case Held.TAKEN if 1 in rules.kept:
                yield f"{name}: stored", _stored(state, index, rules, Held.HALF)
            case Held.TAKEN:
                early = state.with_event(index, held=Held.HALF, is_confirmed=True)
                yield f"{name}: confirmed", early
            case Held.HALF if 1 in rules.kept:
                done = state.with_event(index, held=Held.NO, is_confirmed=True)
                yield f"{name}: confirmed", done
            case Held.HALF:
                yield f"{name}: stored", _stored(state, index, rules, Held.NO)


def _stored(state: State, index: int, rules: Rules, held: Held) -> State:
    message = state.events[index].message
    state = state.with_event(index, held=held)
    if "place" not in rules.kept:
        state = state._replace(latest=message)
    if state.sequence(message) is not None and 2 in rules.kept:
        return state
    return state._replace(inbox=(*state.inbox, Letter(message)))


def inbox_to_run(state: State, rules: Rules) -> Iterator[Step]:
    """Yield what routers do with what is stored."""
    for index, letter in enumerate(state.inbox):
        if letter.held is Held.NO and not letter.is_acked:
            yield f"letter {index}: fetched", state.with_letter(index, held=Held.TAKEN)
        for router in ROUTERS:
            if getattr(letter, router) is not Held.NO:
                yield from _routed(state, index, router, rules)


def _routed(state: State, index: int, router: str, rules: Rules) -> Iterator[Step]:
    """Yield what *router* does next with a letter that it has."""
    name = f"letter {index} ({router})"
    match getattr(state.inbox[index], router):
        case Held.TAKEN if stops.is_left_alone(state, index, rules):
            done = state.with_letter(index, is_acked=True, **{router: Held.NO})
            yield f"{name}: acked, for it is known", done
        case Held.TAKEN if 4 in rules.kept:
            if is_next(state, index, rules):
                half = state.with_letter(index, **{router: Held.HALF})
                yield f"{name}: decided", decided(half, index, rules)
        case Held.TAKEN:
            early = state.with_letter(index, is_acked=True, **{router: Held.HALF})
            yield f"{name}: acked", early
        case Held.HALF if 4 in rules.kept:
            done = state.with_letter(index, is_acked=True, **{router: Held.NO})
            yield f"{name}: acked", stops.settled(done, index, rules)
        case Held.HALF:
            done = state.with_letter(index, **{router: Held.NO})
            yield f"{name}: decided", decided(done, index, rules)


def is_next(state: State, index: int, rules: Rules) -> bool:
    """Return whether all that was stored before is decided: one conversation, one queue."""
    return 5 not in rules.kept or all(
        _is_decided(state, letter.message)
        for letter in state.inbox[:index]
        if rules.are_in_line(state, letter.message, state.inbox[index].message)
    )


def _is_decided(state: State, message: Message) -> bool:
    if state.events[message].ask is not Ask.ANSWER:
        return message in state.known
    return bool(state.runs_of(message)) or message in dict(state.offered)


def decided(state: State, index: int, rules: Rules, phase: Phase = Phase.WAITING) -> State:
    """Return the state in which it is durable what becomes of a letter.

    A message has its run, or is handed to the run at work. Its row and its run are one
    step: nothing of its conversation is decided between the two.
    """
    message = state.inbox[index].message
    if state.events[message].ask is not Ask.ANSWER:
        return stops.carried_out(state, index, rules)
    is_same = [run.sequence == index or 2 in rules.kept for run in state.runs_of(message)]
    if any(is_same) and 3 in rules.kept:
        return state
    if message in dict(state.offered):
        return state
    at_work = [
        n
        for n, run in enumerate(state.runs)
        if run.phase in {Phase.RUNNING, Phase.WRITTEN}
        and rules.are_in_line(state, run.message, message)
        and stops.may_take_in_more(state, run.message, rules)
    ]
    if rules.steers and at_work:
        return state._replace(offered=state.offered | {(message, at_work[0])})
    return state._replace(runs=(*state.runs, Run(message, index, phase)))
