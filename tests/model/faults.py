"""What may go wrong, once for each of the faults that are left."""

from collections.abc import Iterator

from tests.model.inbox import ROUTERS, decided, is_next
from tests.model.rules import Rules
from tests.model.state import Ask, Held, Phase, State

Step = tuple[str, State]


def faults(state: State, rules: Rules) -> Iterator[Step]:
    """Yield every fault that may happen now."""
    if not state.faults:
        return
    worse = state._replace(faults=state.faults - 1)
    yield from _failed_runs(worse)
    yield from _crashes(worse, rules)
    yield from _deaths_of_bridges(worse, rules)
    yield from _given_to_another(worse)
    yield from _trouble_with_the_api(worse, rules)
    yield from _refusals(worse, rules)


def _failed_runs(state: State) -> Iterator[Step]:
    for index, run in enumerate(state.runs):
        if run.phase is Phase.RUNNING:
            yield f"run {index}: fails", state.with_run(index, phase=Phase.FAILED)


def _refusals(state: State, rules: Rules) -> Iterator[Step]:
    """Yield a 429 instead of what would have been shown: it is tried again if it is still ours."""
    before_showing = Held.TAKEN if 8 in rules.kept else Held.HALF
    for index, reply in enumerate(state.outbox):
        if reply.held is before_showing:
            yield f"reply {index}: refused with 429", state.with_reply(index, held=Held.NO)


def _given_to_another(state: State) -> Iterator[Step]:
    """Yield the delivery of a letter to a second router while the first is at it."""
    for index, letter in enumerate(state.inbox):
        if letter.held is not Held.NO and letter.other is Held.NO and not letter.is_acked:
            again = state.with_letter(index, other=Held.TAKEN)
            yield f"letter {index}: delivered again, to another router", again


def _trouble_with_the_api(state: State, rules: Rules) -> Iterator[Step]:
    """Yield the refusal of a run for good, and a run whose creator is never told of it."""
    for index, letter in enumerate(state.inbox):
        takers = [router for router in ROUTERS if getattr(letter, router) is Held.TAKEN]
        if not takers or not is_next(state, index, rules):
            continue
        yield f"letter {index}: decided, and nobody told", decided(state, index, rules)
        if state.events[letter.message].ask is Ask.ANSWER:
            refused = decided(state, index, rules, Phase.REFUSED)
            yield f"letter {index}: its run is refused", refused


def _deaths_of_bridges(state: State, rules: Rules) -> Iterator[Step]:
    """Yield the end of a bridge that nobody starts again, since its agent has left."""
    for index, run in enumerate(state.runs):
        if run.phase is Phase.WRITTEN and "stay" not in rules.kept:
            lost = state.with_run(index, phase=Phase.FAILED, is_lost=True)
            yield f"run {index}: its bridge dies", lost


def _crashes(state: State, rules: Rules) -> Iterator[Step]:
    """Yield the death of each program that holds something."""
    if any(event.held is not Held.NO for event in state.events):
        events = tuple(event._replace(held=Held.NO) for event in state.events)
        yield "channel dies on its way in", state._replace(events=events)
    for router in ROUTERS:
        held = [n for n, letter in enumerate(state.inbox) if getattr(letter, router)]
        if held:
            dead = state
            for index in held:
                dead = dead.with_letter(index, **{router: Held.NO})
            yield f"router dies ({router})", dead
    unseen = [
        n for n, run in enumerate(state.runs) if run.phase.is_terminal and not run.is_announced
    ]
    if unseen and 7 not in rules.kept:
        missed = state
        for index in unseen:
            missed = missed.with_run(index, is_announced=True)
        yield "router dies as a run ends", missed
    if any(reply.held is not Held.NO for reply in state.outbox):
        outbox = tuple(reply._replace(held=Held.NO) for reply in state.outbox)
        yield "channel dies on its way out", state._replace(outbox=outbox)
