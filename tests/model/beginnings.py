"""States from which a search begins, each as small as what it is about allows."""

from tests.model.state import EVERYTHING, Ask, Event, Letter, Message, Phase, Run, State, Stuck


def nothing_said(*, messages: int = 2, faults: int = 1, repeats: int = 1) -> State:
    """Return the state before anything happened."""
    events = tuple(Event(message, repeats=repeats) for message in range(messages))
    return State(events, faults=faults)


def message(number: Message, *, never_ends: bool = False) -> Event:
    """Return what an agent is to answer; it may be that only a Stop ends that."""
    return Event(number, stuck=Stuck.RUN if never_ends else Stuck.NOTHING)


def stop(number: Message, *, aim: Message = EVERYTHING, repeats: int = 0) -> Event:
    """Return a Stop, of everything or of one message."""
    return Event(number, ask=Ask.STOP, aim=aim, repeats=repeats)


def take_back(number: Message, *, aim: Message) -> Event:
    """Return that the message *aim* is deleted."""
    return Event(number, ask=Ask.TAKE_BACK, aim=aim)


def said(*events: Event, faults: int = 0) -> State:
    """Return the state in which INBOX has *events*, in their order, and nobody has looked."""
    numbers = [event.message for event in events]
    return State(
        tuple(event._replace(is_confirmed=True) for event in events),
        inbox=tuple(Letter(number) for number in numbers),
        placeholders=frozenset(numbers),
        faults=faults,
    )


def at_work(*events: Event, steers: bool = False, faults: int = 0) -> State:
    """Return the state in which the first of *events* is worked on and others wait for it.

    They have runs that wait, or were handed to the run at work. What is no message for
    an agent, and what was said after it, nobody has looked at.
    """
    state = said(*events, faults=faults)
    taken = next(n for n, event in enumerate(events) if event.ask is not Ask.ANSWER)
    for number in range(taken):
        state = state.with_letter(number, is_acked=True)
    runs = (Run(0, 0, Phase.RUNNING),)
    if steers:
        return state._replace(runs=runs, offered=frozenset((n, 0) for n in range(1, taken)))
    return state._replace(runs=runs + tuple(Run(n, n) for n in range(1, taken)))
