"""Which finished runs are to go, decided from values."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.agentrun import Phase
from sympozium.contract.limits import RUN_LINGERS
from sympozium.contract.names import RunName, RunUid
from sympozium_controller.runs.history import Finished, History, HistoryLimits, read_finished
from sympozium_controller.runs.slim import slim_run

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
LIMITS = HistoryLimits(successful=2, failed=1, age=WEEK)


def finished(
    name: str,
    ago: timedelta = timedelta(hours=1),
    *,
    succeeded: bool = True,
    ttl: timedelta | None = None,
    counted: bool = True,
) -> Finished:
    run_name = RunName(name)
    return Finished(run_name, RunUid(name), NOON - ago, succeeded, ttl, counted, None)


def due(runs: list[Finished], limits: HistoryLimits = LIMITS) -> set[str]:
    history = History(limits.age)
    for run in runs:
        history.put(run)
    return {run.name for run in history.due(limits, NOON)}


def test_the_oldest_beyond_the_number_go_and_failures_do_not_push_out_successes() -> None:
    good = [finished(f"good-{hours}", timedelta(hours=hours)) for hours in range(1, 5)]
    bad = [finished(f"bad-{hours}", timedelta(hours=hours), succeeded=False) for hours in (1, 2)]
    assert due([*good, *bad]) == {"good-4", "good-3", "bad-2"}


def test_the_number_leaves_a_run_alone_while_its_pod_is_there() -> None:
    young = timedelta(minutes=9)
    assert due([finished(str(n), young) for n in range(5)]) == set()
    assert due([finished(str(n), RUN_LINGERS) for n in range(5)]) == {"0", "1", "2"}


def test_what_is_too_old_goes_however_few_there_are() -> None:
    assert due([finished("old", WEEK), finished("young", WEEK - timedelta(seconds=1))]) == {"old"}


def test_a_run_may_say_how_long_it_is_kept() -> None:
    brief = finished("brief", timedelta(seconds=2), ttl=timedelta(seconds=2))
    lasting = finished("lasting", 2 * WEEK, ttl=3 * WEEK)
    assert due([brief, lasting]) == {"brief"}


def test_a_run_whose_pod_is_kept_goes_by_its_age_only() -> None:
    kept = [finished(f"kept-{n}", counted=False) for n in range(9)]
    assert due([*kept, finished("other"), finished("old", WEEK, counted=False)]) == {"old"}


def test_a_limit_of_zero_keeps_none() -> None:
    assert due([finished("one")], HistoryLimits(successful=0)) == {"one"}


def test_a_time_that_somebody_wrote_by_hand_counts_from_the_creation() -> None:
    for text in ("", "yesterday", "2030-01-01T00:00:00"):
        run = slim_run(
            {
                "metadata": {"name": "r", "uid": "u", "creationTimestamp": "2029-12-31T00:00:00Z"},
                "spec": {"agentRef": "helper", "task": "t"},
                "status": {"phase": Phase.SUCCEEDED.value, "finishedAt": text},
            }
        )
        assert read_finished(run).ended == datetime(2029, 12, 31, tzinfo=UTC)


hours = st.integers(min_value=0, max_value=400).map(lambda n: timedelta(hours=n))
runs = st.builds(
    finished,
    st.integers(min_value=0, max_value=30).map(str),
    hours,
    succeeded=st.booleans(),
    ttl=st.none() | hours,
    counted=st.booleans(),
)


def expected(runs: list[Finished], limits: HistoryLimits) -> set[RunName]:
    """Say the same by looking at all of them."""
    gone = {
        run.name for run in runs if run.ended + (limits.age if run.ttl is None else run.ttl) <= NOON
    }
    for outcome, most in ((True, limits.successful), (False, limits.failed)):
        counted = [run for run in runs if run.is_counted and run.has_succeeded is outcome]
        oldest_first = sorted(counted, key=lambda run: (run.ended, run.name))
        beyond = oldest_first[: max(len(oldest_first) - most, 0)]
        gone |= {run.name for run in beyond if run.ended + RUN_LINGERS <= NOON}
    return gone


@given(
    changes=st.lists(st.tuples(st.booleans(), runs), max_size=60),
    successful=st.integers(min_value=0, max_value=10),
    failed=st.integers(min_value=0, max_value=10),
)
def test_any_order_of_changes_leaves_what_is_due_and_when(
    changes: list[tuple[bool, Finished]], successful: int, failed: int
) -> None:
    limits = HistoryLimits(successful, failed, WEEK)
    history, known = History(WEEK), dict[str, Finished]()
    for is_there, run in changes:
        if is_there:
            history.put(run)
            known[run.name] = run
        else:
            history.drop(run.name)
            known.pop(run.name, None)
    names = [run.name for run in history.due(limits, NOON)]
    assert set(names) == expected(list(known.values()), limits)
    assert len(names) == len(set(names))
    assert len(history) == len(known)
    next_due = history.next_due(limits)
    assert (next_due is not None and next_due <= NOON) == bool(names)
