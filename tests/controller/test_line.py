"""Whose turn it is: fair in every load, and as cheap with ten thousand who wait as with ten."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sympozium_controller.runs.turns.line import WORTH, LimitOf, Line, Ticket

NAMESPACES, AGENTS, CONVERSATIONS = ("a", "b", "c"), ("x", "y"), ("", "p", "q")


def ticket(
    number: int, namespace: str = "a", agent: str = "x", conversation: str | None = None
) -> Ticket:
    name = f"r{number:05}"
    return Ticket((namespace, name), agent, conversation or f"c{number}", (number, name))


def all_in_turn(line: Line) -> list[Ticket]:
    """Start and end one run after the other until nobody waits."""
    began = []
    while (next_ := line.next()) is not None:
        began.append(next_)
        line.drop(next_.key)
    return began


tickets = st.builds(
    ticket,
    st.integers(0, 200),
    st.sampled_from(NAMESPACES),
    st.sampled_from(AGENTS),
    st.sampled_from(CONVERSATIONS),
)
crowds = st.lists(tickets, max_size=60, unique_by=lambda one: one.key)


class Model:
    """What is known of a line without it: who waits, who works, what the limits are."""

    def __init__(self, limit_of: LimitOf) -> None:
        self.limit_of = limit_of
        self.waiting: dict[tuple[str, str], Ticket] = {}
        self.active: dict[tuple[str, str], Ticket] = {}

    def may_start(self, one: Ticket) -> bool:
        counts = Counter[tuple[str, str]]()
        for other in self.active.values():
            counts.update(
                {("", ""): 1, (other.namespace, ""): 1, (other.namespace, other.agent): 1}
            )
        levels = (("", ""), (one.namespace, ""), (one.namespace, one.agent))
        limits = [(self.limit_of(*level), counts[level]) for level in levels]
        return all(limit is None or count < limit for limit, count in limits)

    def is_first(self, one: Ticket) -> bool:
        return not any(
            (other.namespace, other.agent, other.conversation)
            == (one.namespace, one.agent, one.conversation)
            and other.order < one.order
            for other in self.waiting.values()
        )


operations = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), tickets),
        st.tuples(st.just("take"), tickets),
        st.tuples(st.just("drop"), tickets),
        st.tuples(st.just("next"), tickets),
    ),
    max_size=150,
)


@given(
    steps=operations,
    limits=st.dictionaries(
        st.tuples(st.sampled_from(["", *NAMESPACES]), st.sampled_from(["", *AGENTS])),
        st.integers(0, 4),
    ),
)
def test_a_run_starts_only_in_its_order_and_within_every_limit_and_none_is_forgotten(
    steps: list[tuple[str, Ticket]], limits: dict[tuple[str, str], int]
) -> None:
    def limit_of(namespace: str, agent: str) -> int | None:
        return limits.get((namespace, agent))

    line, model = Line(limit_of), Model(limit_of)
    for step, one in steps:
        match step:
            case "wait":
                line.wait(one)
                if one.key not in model.active:
                    model.waiting.setdefault(one.key, one)
            case "take":
                line.take(one)
                held = model.waiting.pop(one.key, one)
                model.active.setdefault(one.key, held)
                if held != one:  # the same run never stands elsewhere
                    line.drop(one.key)
                    del model.active[one.key]
            case "drop":
                line.drop(one.key)
                model.waiting.pop(one.key, None)
                model.active.pop(one.key, None)
            case "next":
                began = line.next()
                if began is None:
                    assert not any(model.may_start(other) for other in model.waiting.values())
                else:
                    assert model.may_start(began)
                    assert model.is_first(began)
                    model.active[began.key] = model.waiting.pop(began.key)
        assert len(line) == len(model.waiting)
        assert line.active == len(model.active)
        assert {one.key for one in line.upcoming()} == set(model.waiting)


@given(crowd=crowds, at_work=st.integers(0, 5), ends=st.booleans())
def test_a_namespace_with_one_message_waits_for_one_turn_of_each_other(
    crowd: Sequence[Ticket], at_work: int, ends: bool
) -> None:
    line = Line()
    for one in crowd:
        line.wait(one)
    for number in range(at_work):
        line.take(ticket(900 + number, "lonely"))
    line.wait(ticket(999, "lonely"))
    began: list[Ticket] = []
    while (next_ := line.next()) is not None and next_.namespace != "lonely":
        began.append(next_)
        if ends:
            line.drop(next_.key)
    assert next_ is not None
    others = {one.namespace for one in crowd}
    assert len(began) <= len(others) + WORTH * at_work
    if not at_work:
        assert max(Counter(one.namespace for one in began).values(), default=0) <= 1


@given(newcomers=st.integers(1, 60), at_work=st.integers(0, 4))
def test_newcomers_without_end_starve_nobody(newcomers: int, at_work: int) -> None:
    """A stream of others who each come anew, which a line that favours them would serve alone."""
    line = Line()
    for number in range(at_work):
        line.take(ticket(900 + number, "patient"))
    line.wait(ticket(999, "patient"))
    served = 0
    for number in range(newcomers + WORTH * at_work + 1):
        line.wait(ticket(number, f"n{number}"))
        next_ = line.next()
        assert next_ is not None
        if next_.namespace == "patient":
            break
        served += 1
        line.drop(next_.key)
    assert served <= WORTH * at_work


def test_namespaces_then_agents_then_conversations_take_turns() -> None:
    line = Line()
    for number in range(4):
        line.wait(ticket(number, "a", "x", "p"))
        line.wait(ticket(10 + number, "a", "x", "q"))
        line.wait(ticket(20 + number, "a", "y", "p"))
    line.wait(ticket(30, "b", "x", "p"))
    began = [(one.namespace, one.agent, one.conversation) for one in all_in_turn(line)]
    assert began[:6] == [
        ("a", "x", "p"),
        ("b", "x", "p"),
        ("a", "y", "p"),
        ("a", "x", "q"),
        ("a", "y", "p"),
        ("a", "x", "p"),
    ]


def test_who_has_much_at_work_stands_further_back() -> None:
    line = Line()
    for number in range(3):
        line.take(ticket(number, "busy"))
    for number in range(10, 40):
        line.wait(ticket(number, "busy"))
        line.wait(ticket(100 + number, "idle"))
    began = [one.namespace for one in all_in_turn(line)][: 3 * WORTH]
    assert began.count("busy") == 1


@given(crowd=crowds)
def test_the_order_that_is_announced_is_the_order_that_comes(crowd: Sequence[Ticket]) -> None:
    line = Line()
    for one in crowd:
        line.wait(one)
    announced = list(line.upcoming())
    assert announced == all_in_turn(line)


def test_a_limit_that_is_raised_lets_the_next_ones_start() -> None:
    limits = {("a", "x"): 1}
    line = Line(lambda namespace, agent: limits.get((namespace, agent)))
    for number in range(3):
        line.wait(ticket(number))
    assert line.next() is not None
    assert line.next() is None
    limits["a", "x"] = 2
    line.limit_changed("a", "x")
    assert line.next() is not None
    assert line.next() is None
    del limits["a", "x"]
    line.limit_changed("a", "x")
    assert line.next() is not None
