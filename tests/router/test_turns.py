"""Which message gets a run, decided without anything around it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.messages import InboundMessage, Sender
from sympozium.contract.names import ConversationId, MessageId
from sympozium.store.ports import Cut, End, Message, Verdict
from sympozium_router.outbox.ends import cut_end, end_with_another
from sympozium_router.runs.turns import asked_by, begun, next_turn, placed, with_run

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODES = ("queue", "collect", "steer", "interrupt")


def message(sequence: int, agent: str = "helper", text: str = "hello") -> Message:
    inbound = InboundMessage(
        message_id=MessageId(f"m{sequence}"),
        conversation=ConversationId("c"),
        sender=Sender(platform="web", user_id="ada"),
        text=text,
        time=NOW,
    )
    return Message("n", "web", inbound, sequence, NOW, agent=agent)


class Line:
    """A conversation's messages, with decisions carried out as the store does."""

    def __init__(self) -> None:
        self.all: dict[str, Message] = {}
        self.runs: list[str] = []

    @property
    def open(self) -> list[Message]:
        return [one for one in self.all.values() if one.end is None]

    def add(self, verdict: Verdict) -> None:
        self.all[verdict.message.id] = verdict.message
        self.change(verdict.changed)

    def change(self, changed: Sequence[Message]) -> None:
        for one in changed:
            if self.all[one.id].end is None:
                self.all[one.id] = one

    def move(self, *, mode: str, absorbs: int) -> None:
        """End the first open message, or give it its turn, as the outbox does."""
        first = self.open[0]
        if first.run_name and not first.cut:
            self.runs.append(first.id)
            offered = [one.id for one in self.open if one.offered_to == first.id]
            end = End(NOW, "answer", absorbed=tuple(offered[:absorbs]))
        elif first.cut:
            end = cut_end(first, now=NOW)
        else:
            leader = self.all.get(first.carried_by or first.offered_to)
            joined = end_with_another(first, leader, now=NOW) if leader else None
            if joined is None:
                self.change(next_turn(self.open, collects=mode == "collect"))
                return
            end = joined
        self.all[first.id] = replace(first, end=end)


moves = st.lists(
    st.tuples(
        st.sampled_from(["add", "move", "stop", "withdraw"]),
        st.sampled_from(MODES),
        st.sampled_from(["helper", "coder"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@given(moves=moves)
def test_whatever_happens_every_message_ends_once_and_in_order(
    moves: list[tuple[str, str, str, int]],
) -> None:
    line = Line()
    for kind, mode, agent, number in moves:
        if kind == "add":
            line.add(placed(message(len(line.all) + 1, agent), line.open, mode))
        elif line.open and kind == "move":
            line.move(mode=mode, absorbs=number)
        elif kind == "stop":
            line.change([replace(one, cut=Cut.STOPPED) for one in line.open if not one.cut])
        elif line.open and kind == "withdraw":
            one = line.open[number % len(line.open)]
            line.change([replace(one, cut=one.cut or Cut.WITHDRAWN)])
        ends = [one.end is not None for one in line.all.values()]
        assert ends == sorted(ends, reverse=True)  # none before an earlier one
    for _ in range(2 * len(line.all) + 1):  # it comes to rest: a turn and an end each
        if line.open:
            line.move(mode="queue", absorbs=0)
    assert line.open == []
    assert len(line.runs) == len(set(line.runs))
    for one in line.all.values():
        assert one.end is not None
        answered_by = one.end.answered_with
        if answered_by:
            assert one.id not in line.runs
            assert line.all[answered_by].sequence < one.sequence
            assert answered_by in line.runs
            assert line.all[answered_by].agent == one.agent


def test_in_every_mode_the_first_message_gets_a_run_at_once() -> None:
    for mode in MODES:
        assert placed(message(1), [], mode).message.run_name


def test_nothing_is_handed_to_a_run_that_is_to_end() -> None:
    at_work = replace(with_run(message(1)), cut=Cut.STOPPED)
    assert placed(message(2), [at_work], "steer").message.offered_to == ""


def test_nothing_overtakes_a_message_that_waits_for_its_own_run() -> None:
    at_work, waits = with_run(message(1)), message(2, "coder")
    placed_third = placed(message(3), [at_work, waits], "steer").message
    assert (placed_third.offered_to, placed_third.run_name) == ("", "")


def test_what_was_withdrawn_is_not_asked() -> None:
    led = next_turn([message(1), message(2), message(3)], collects=True)
    withdrawn = replace(led[1], cut=Cut.WITHDRAWN)
    asked = asked_by(led[0].id, [led[0], withdrawn, led[2]])
    assert [one.id for one in asked] == ["m1", "m3"]


def test_the_time_at_which_a_task_was_read_stays() -> None:
    first = begun([message(1)], NOW)
    assert begun(first, datetime.now(UTC)) == first
