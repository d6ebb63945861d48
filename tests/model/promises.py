"""The promises, as what must hold in every state and what must hold when nothing more happens."""

from tests.model.state import Held, State, Stuck


def broken_now(state: State) -> str:
    """Return the promise that *state* breaks whatever comes after it; empty: none."""
    stored = {letter.message for letter in state.inbox}
    held = {event.message for event in state.events if event.held is not Held.NO}
    for event in state.events:
        if event.is_confirmed and event.message not in stored | held:
            return f"G1: message {event.message} was confirmed and is nowhere"
    for event in state.events:
        if len(state.runs_of(event.message)) > 1:
            return f"G2: message {event.message} has two runs"
        if sum(message == event.message for message, _ in state.shown) > 1:
            return f"G3: message {event.message} is answered twice"
    if any(run.is_lost for run in state.runs):
        return "G3: an answer was written and is told to have failed"
    return _wrongly_shown(state)


def _wrongly_shown(state: State) -> str:
    for conversation in {event.conversation for event in state.events}:
        order = _in_order_of_inbox(state, conversation)
        if order != sorted(order):
            return "G4: ends appear in another order than their messages"
    for message, place in state.shown:
        if message != place:
            return f"G5: the answer to message {message} is shown at message {place}"
    for reply in state.outbox:
        read = {message for run in state.runs for message in run.absorbed}
        if reply.is_joined and reply.message not in read:
            return f"G3: message {reply.message} is told to be answered, and nobody read it"
    return ""


def broken_at_rest(state: State) -> str:
    """Return the promise that a state breaks in which nothing more happens; empty: none."""
    shown = {message for message, _ in state.shown}
    stuck = {event.conversation for event in state.events if event.stuck is not Stuck.NOTHING}
    for event in state.events:
        is_accepted = event.is_confirmed or any(
            letter.message == event.message for letter in state.inbox
        )
        if is_accepted and event.message not in shown and event.conversation not in stuck:
            if stuck:
                return f"G4: message {event.message} waits for another conversation"
            return f"G3: message {event.message} was accepted and met with silence"
    return ""


def _in_order_of_inbox(state: State, conversation: int) -> list[int]:
    sequence: dict[int, int] = {}
    for number, letter in enumerate(state.inbox):
        sequence.setdefault(letter.message, number)
    return [
        sequence[message]
        for message, _ in state.shown
        if message in sequence and state.conversation(message) == conversation
    ]
