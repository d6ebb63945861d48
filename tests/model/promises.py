"""The promises, as what must hold in every state and what must hold when nothing more happens."""

from collections.abc import Iterator

from tests.model.state import EVERYTHING, Ask, Event, Held, Message, Phase, Says, State, Stuck


def broken_now(state: State) -> str:
    """Return the promise that *state* breaks whatever comes after it; empty: none."""
    for event in state.events:
        is_held = event.held is not Held.NO
        if event.is_confirmed and not is_held and state.sequence(event.message) is None:
            return f"G1: message {event.message} was confirmed and is nowhere"
        if len(state.runs_of(event.message)) > 1:
            return f"G2: message {event.message} has two runs"
        if sum(message == event.message for message, _ in state.shown) > 1:
            return f"G3: message {event.message} is answered twice"
    if any(run.is_lost for run in state.runs):
        return "G3: an answer was written and is told to have failed"
    return _wrongly_shown(state) or _wrongly_stopped(state)


def _wrongly_shown(state: State) -> str:
    for conversation in {event.conversation for event in state.events}:
        order = _in_order_of_inbox(state, conversation)
        if order != sorted(order):
            return "G4: ends appear in another order than their messages"
    for message, place in state.shown:
        if message != place:
            return f"G5: the answer to message {message} is shown at message {place}"
    for reply in state.outbox:
        if reply.is_joined and not any(reply.message in run.absorbed for run in state.runs):
            return f"G3: message {reply.message} is told to be answered, and nobody read it"
    return ""


def _wrongly_stopped(state: State) -> str:
    """Return what a Stop, or a message taken back, did that it must not, or did not prevent."""
    for reply in state.outbox if state.cut else ():
        message, by = reply.message, state.cut_by(reply.message)
        if by is Ask.TAKE_BACK and reply.says is not Says.NOTHING:
            return f"Stop: message {message} was taken back, and is told of"
        if reply.says in {Says.STOPPED, Says.NOTHING} and not _is_meant(state, message):
            return f"Stop: message {message} was ended by a Stop that did not mean it"
    return ""


def _is_meant(state: State, message: Message) -> bool:
    """Return whether some Stop that was said later than *message* is aimed at it.

    Or at one that was said before it, and whose run had it in hand.
    """
    leaders = {state.runs[run].message for one, run in state.offered if one == message}
    return any(
        message in set(_said_before(state, request)) and aims & {EVERYTHING, message, *leaders}
        for request in state.events
        if (aims := {request.aim}) and request.ask is not Ask.ANSWER
    )


def _said_before(state: State, request: Event) -> Iterator[Message]:
    """Yield the messages for an agent that INBOX has before *request*, of its conversation."""
    said = state.sequence(request.message)
    for letter in state.inbox[:said] if said is not None else ():
        event = state.events[letter.message]
        if event.ask is Ask.ANSWER and event.conversation == request.conversation:
            yield event.message


def broken_at_rest(state: State) -> str:
    """Return the promise that a state breaks in which nothing more happens; empty: none."""
    return _not_stopped(state) or _silent(state)


def _not_stopped(state: State) -> str:
    for request in state.events:
        if request.ask is Ask.ANSWER:
            continue
        for message in _said_before(state, request):
            if request.aim in {EVERYTHING, message} and _is_worked_on(state, message):
                return f"Stop: message {message} was stopped, and is worked on"
    return ""


def _is_worked_on(state: State, message: Message) -> bool:
    """Return whether there is a run of *message* that has not ended."""
    phases = {run.phase for run in state.runs_of(message)}
    return any(not phase.is_terminal for phase in phases - {Phase.NAMED})


def _silent(state: State) -> str:
    shown = {message for message, _ in state.shown}
    stuck = {
        event.conversation
        for event in state.events
        if event.stuck is not Stuck.NOTHING and state.cut_by(event.message) is None
    }
    for event in state.events:
        is_accepted = event.is_confirmed or state.sequence(event.message) is not None
        is_owed = is_accepted and event.ask is not Ask.TAKE_BACK
        if is_owed and event.message not in shown and event.conversation not in stuck:
            if stuck:
                return f"G4: message {event.message} waits for another conversation"
            return f"G3: message {event.message} was accepted and met with silence"
    return ""


def _in_order_of_inbox(state: State, conversation: int) -> list[int]:
    """Return the places in INBOX of what was shown, but for notices: these are out of line."""
    sequence: dict[int, int] = {}
    for number, letter in enumerate(state.inbox):
        sequence.setdefault(letter.message, number)
    return [
        sequence[message]
        for message, _ in state.shown
        if message in sequence
        and state.conversation(message) == conversation
        and state.events[message].ask is Ask.ANSWER
    ]
