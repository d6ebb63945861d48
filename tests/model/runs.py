"""What becomes of a run, from its making to its end."""

from collections.abc import Iterator

from tests.model import stops
from tests.model.rules import Rules
from tests.model.state import Phase, Run, State, Stuck

Step = tuple[str, State]


def run_steps(state: State, rules: Rules) -> Iterator[Step]:
    """Yield what happens to each run by itself."""
    for index, run in enumerate(state.runs):
        name = f"run {index}"
        if run.phase is Phase.NAMED and state.cut_by(run.message) is None:
            yield f"{name}: made", state.with_run(index, phase=Phase.WAITING)
        if run.phase is Phase.WAITING and _may_start(state, run, rules):
            yield f"{name}: starts", state.with_run(index, phase=Phase.RUNNING)
        if run.phase is Phase.RUNNING:
            for message, offered_to in state.offered:
                if offered_to == index and message not in run.absorbed:
                    absorbed = run.absorbed | {message}
                    yield f"{name}: takes in {message}", state.with_run(index, absorbed=absorbed)
            if state.events[run.message].stuck is not Stuck.RUN:
                yield f"{name}: answers", state.with_run(index, phase=Phase.WRITTEN)
        if run.phase is Phase.WRITTEN:
            yield f"{name}: answer recorded", state.with_run(index, phase=Phase.SUCCEEDED)
    yield from stops.looks(state, rules)
    yield from stops.obeyed(state)


def _may_start(state: State, run: Run, rules: Rules) -> bool:
    if run.is_to_end:
        return False
    earlier = [
        other
        for other in state.runs
        if other.sequence < run.sequence and rules.are_in_line(state, other.message, run.message)
    ]
    return 5 not in rules.kept or all(_is_over(state, other) for other in earlier)


def _is_over(state: State, run: Run) -> bool:
    """Return whether a run has ended, or will never be made."""
    return run.phase.is_terminal or (run.phase is Phase.NAMED and state.has_end(run.message))
