"""Stop, and taking a message back: said like any message, and carried out step by step.

A router that has its turn notes in one transaction that it knows the Stop and which
messages are to end early: those of its conversation that have no end, or the one that is
named. From there whoever looks at the conversation goes on: a run is told to end, a
message without one ends at once. A deletion is about one message, and leaves no row.

The rules, by what each says:

* "once": a Stop that is known is not carried out again;
* "together": that it is known and what is to end are noted at once;
* "level": who looks tells runs to end, not only who carried the Stop out;
* "fresh": to a run that is to end early nothing more is handed;
* "catch": who made a run looks afterwards whether its message has ended meanwhile;
* "sweep": who sees a run whose message has ended tells it to end;
* "newest": an end is noted by what is stored of its message then, not by what was read before;
* "unsaid": what was taken back is not answered, though there be an answer;
* "late": an answer that there is stays an answer, though somebody asked to stop.
"""

from collections.abc import Iterator

from tests.model.rules import Rules
from tests.model.state import EVERYTHING, Ask, Message, Phase, Run, Says, State

Step = tuple[str, State]


def is_left_alone(state: State, index: int, rules: Rules) -> bool:
    """Return whether nothing more is done for a letter that is known: without two rules only."""
    if "together" in rules.kept and "level" in rules.kept:
        return False
    message = state.inbox[index].message
    return state.events[message].ask is not Ask.ANSWER and message in state.known


def carried_out(state: State, index: int, rules: Rules) -> State:
    """Return the state after a router noted what a letter is to stop."""
    request = state.inbox[index].message
    has_row = state.events[request].ask is Ask.STOP
    is_same = 2 in rules.kept or index == state.sequence(request)
    if has_row and is_same and request in state.known and "once" in rules.kept:
        return state
    state = state._replace(known=state.known | {request})
    return _cut(state, request, rules) if "together" in rules.kept or not has_row else state


def settled(state: State, index: int, rules: Rules) -> State:
    """Return what a router that acknowledges a letter does by itself, where nobody looks."""
    request = state.inbox[index].message
    if state.events[request].ask is Ask.ANSWER:
        return state
    if "together" not in rules.kept:
        state = _cut(state, request, rules)
    if "level" not in rules.kept:
        for number, run in enumerate(state.runs):
            if (run.message, request) in state.cut and not run.phase.is_terminal:
                state = state.with_run(number, is_to_end=True)
    return state


def _cut(state: State, request: Message, rules: Rules) -> State:
    aim = state.events[request].aim
    cut = {message for message, _ in state.cut}
    aimed = {
        event.message
        for event in state.events
        if aim in {EVERYTHING, event.message}
        and rules.are_in_line(state, event.message, request)
        and _has_row(state, event.message)
        and not _has_end(state, event.message)
    } - cut
    noted = state.cut | {(message, request) for message in aimed}
    return state._replace(cut=noted, behind=state.behind | aimed)


def _has_row(state: State, message: Message) -> bool:
    return bool(state.runs_of(message)) or message in dict(state.offered)


def _has_end(state: State, message: Message) -> bool:
    """Return whether an end is told, or a refusal noted that will be."""
    is_refused = any(run.phase is Phase.REFUSED for run in state.runs_of(message))
    return is_refused or state.has_end(message)


def may_take_in_more(state: State, message: Message, rules: Rules) -> bool:
    """Return whether the run of a message may be handed others."""
    return "fresh" not in rules.kept or state.cut_by(message) is None


def looks(state: State, rules: Rules) -> Iterator[Step]:
    """Yield what is done about runs that are to end early, by whoever sees that."""
    for index, run in enumerate(state.runs if state.cut else ()):
        if run.phase is Phase.NAMED or run.phase.is_terminal or run.is_to_end:
            continue
        if state.has_end(run.message):
            is_due = "sweep" in rules.kept
        else:  # one that is not known to exist is looked for before its message ends
            is_due = state.cut_by(run.message) is not None and "level" in rules.kept
        if is_due:
            yield f"run {index}: told to end", state.with_run(index, is_to_end=True)


def obeyed(state: State) -> Iterator[Step]:
    """Yield the end of runs that were told to end."""
    for index, run in enumerate(state.runs if state.cut else ()):
        if run.is_to_end and not run.phase.is_terminal:
            yield f"run {index}: is cancelled", state.with_run(index, phase=Phase.CANCELLED)


def has_no_run(state: State, run: Run) -> bool:
    """Return whether a message that is to end early has no run to wait for."""
    return state.cut_by(run.message) is not None and run.phase is Phase.NAMED


def said_of(state: State, run: Run, rules: Rules) -> Says:
    """Return what is told of a message whose run has ended, or that has none."""
    by = state.cut_by(run.message)
    if by is Ask.TAKE_BACK and "unsaid" in rules.kept:
        return Says.NOTHING
    if by is Ask.STOP and "late" not in rules.kept:
        return Says.STOPPED
    if by is not None and (run.phase is Phase.CANCELLED or not run.phase.is_terminal):
        return said_of_cut(by)
    return said_by_phase(run)


def said_of_cut(by: Ask) -> Says:
    """Return what is told of a message that ended early."""
    return Says.STOPPED if by is Ask.STOP else Says.NOTHING


def said_by_phase(run: Run) -> Says:
    """Return what is told of a message by its run alone."""
    return Says.ANSWER if run.phase is Phase.SUCCEEDED else Says.ERROR


def goes_on_behind(state: State, rules: Rules) -> Iterator[Step]:
    """Yield the making of a run by who had read its message before that was to end early.

    It may die right afterwards.
    """
    for index, run in enumerate(state.runs if state.behind else ()):
        if run.message not in state.behind or run.phase is not Phase.NAMED:
            continue
        made = state._replace(behind=state.behind - {run.message})
        made = made.with_run(index, phase=Phase.WAITING)
        name = f"run {index}: made by who does not know that it is to end"
        is_caught = state.has_end(run.message) and "catch" in rules.kept
        yield name, made.with_run(index, is_to_end=is_caught)
        if state.faults:
            yield f"{name}, who dies", made._replace(faults=state.faults - 1)
