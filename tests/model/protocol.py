"""Everything that can happen next, by the rules that are kept.

Each step is what one program does between two places where it may die. A rule that
is left out is replaced by what a system without it does.
"""

from collections.abc import Iterator

from tests.model import stops
from tests.model.ends import outbox_to_platform, run_to_outbox, told_behind
from tests.model.faults import faults
from tests.model.inbox import inbox_to_run, platform_to_inbox
from tests.model.rules import Rules
from tests.model.runs import run_steps
from tests.model.state import State

Step = tuple[str, State]


def steps(state: State, rules: Rules) -> Iterator[Step]:
    """Yield everything that happens next by itself, sooner or later."""
    yield from platform_to_inbox(state, rules)
    yield from inbox_to_run(state, rules)
    yield from run_steps(state, rules)
    yield from run_to_outbox(state, rules)
    yield from outbox_to_platform(state, rules)


def mishaps(state: State, rules: Rules) -> Iterator[Step]:
    """Yield everything that may happen next and need not: faults, and who acts on old news."""
    yield from stops.goes_on_behind(state, rules)
    yield from told_behind(state, rules)
    yield from faults(state, rules)
