"""Which message gets a run, decided without anything around it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from hypothesis import example, given, settings
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


@dataclass(frozen=True)
class Look:
    """What a router saw: the first message without an end, and the one that it goes with."""

    first: Message
    leader: Message | None


class Line:
    """A conversation's messages, with decisions carried out as the store does."""

    def __init__(self) -> None:
        self.all: dict[str, Message] = {}
        self.asked: dict[MessageId, set[MessageId]] = {}
        """By the message whose run it was, what the run was asked or took in."""

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

    def look(self) -> Look:
        first = self.open[0]
        return Look(first, self.all.get(first.carried_by or first.offered_to))

    def move(self, seen: Look, *, mode: str, absorbs: int) -> None:
        """End what was seen first, or give it its turn, as the outbox does, however late."""
        first = seen.first
        if first.run_name and not first.cut:
            self.finish(first, self._answer(first, absorbs))
        elif first.cut:
            self.finish(first, cut_end(first, now=NOW))
        elif seen.leader is None or seen.leader.end is not None:
            joined = end_with_another(first, seen.leader, now=NOW) if seen.leader else None
            if joined is None:
                self.change(next_turn(self.open, first, collects=mode == "collect"))
            else:
                self.finish(first, joined)

    def finish(self, message: Message, end: End) -> None:
        """Note an end; the first one stays."""
        stored = self.all[message.id]
        self.all[message.id] = replace(stored, end=stored.end or end)

    def _answer(self, leader: Message, absorbs: int) -> End:
        """End a run, once: what it was asked and took in then stays."""
        if leader.id not in self.asked:
            offered = [one.id for one in self.open if one.offered_to == leader.id][:absorbs]
            carried = [one.id for one in asked_by(leader.id, self.open)]
            self.asked[leader.id] = {leader.id, *carried, *offered}
        taken = self.asked[leader.id] - {one.id for one in asked_by(leader.id, self.open)}
        return End(NOW, "answer", absorbed=tuple(taken - {leader.id}))


class Play:
    """Two routers before one line: what one of them saw it may act on much later."""

    def __init__(self, mode: str) -> None:
        self.line = Line()
        self._mode = mode
        self._looks: list[Look] = []

    def step(self, kind: str, agent: str, number: int) -> None:
        """Do one thing, if there is something to do it with."""
        line = self.line
        if kind == "add":
            line.add(placed(message(len(line.all) + 1, agent), line.open, self._mode))
        elif kind == "mode":
            self._mode = MODES[number]
        elif kind == "late" and self._looks:
            line.move(self._looks.pop(0), mode=self._mode, absorbs=number)
        elif line.open:
            self._step_of_open(kind, number)

    def _step_of_open(self, kind: str, number: int) -> None:
        line = self.line
        one = line.open[number % len(line.open)]
        if kind == "move":
            line.move(line.look(), mode=self._mode, absorbs=number)
        elif kind == "look":
            self._looks.append(line.look())
        elif kind == "stop":
            line.change([replace(one, cut=Cut.STOPPED) for one in line.open if not one.cut])
        elif kind == "withdraw":
            line.change([replace(one, cut=one.cut or Cut.WITHDRAWN)])


OFTEN, SELDOM = ["add", "add", "move", "move", "look", "late"], ["stop", "withdraw", "mode"]

steps = st.lists(
    st.tuples(
        st.sampled_from(OFTEN * 3 + SELDOM),
        st.sampled_from(["helper"] * 5 + ["coder"]),
        st.integers(0, 3),
    ),
    max_size=60,
)


TAKEN_FROM_ITS_ANSWER = [
    *("add", "add", "add", "move"),
    *("look", "move"),  # the other router sees the second wait; it goes, together with the third
    *("add", "move", "look"),
    *("late", "late", "move"),  # a fourth must not go with the third, which is answered
]


@settings(max_examples=400)
@example(mode="collect", steps=[(kind, "helper", 0) for kind in TAKEN_FROM_ITS_ANSWER])
@given(mode=st.sampled_from(MODES), steps=steps)
def test_whatever_happens_every_message_ends_once_and_in_order(
    mode: str, steps: list[tuple[str, str, int]]
) -> None:
    play = Play(mode)
    line = play.line
    for step in steps:
        play.step(*step)
        ends = [one.end is not None for one in line.all.values()]
        assert ends == sorted(ends, reverse=True)  # none before an earlier one
    for _ in range(2 * len(line.all) + 1):  # it comes to rest: a turn and an end each
        if line.open:
            line.move(line.look(), mode="queue", absorbs=0)
    assert line.open == []
    for one in line.all.values():
        assert one.end is not None
        answered_by = one.end.answered_with
        if answered_by:
            assert one.id in line.asked.get(answered_by, set())
            assert line.all[answered_by].sequence < one.sequence
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


def test_nobody_gives_a_turn_to_what_went_with_another_since_it_was_seen() -> None:
    first, second = next_turn([message(1), message(2)], message(1), collects=True)
    assert next_turn([second], message(2), collects=True) == []
    assert next_turn([second], first, collects=True) == []
    assert next_turn([second], second, collects=True)


def test_what_was_withdrawn_is_not_asked() -> None:
    led = next_turn([message(1), message(2), message(3)], message(1), collects=True)
    withdrawn = replace(led[1], cut=Cut.WITHDRAWN)
    asked = asked_by(led[0].id, [led[0], withdrawn, led[2]])
    assert [one.id for one in asked] == ["m1", "m3"]


def test_the_time_at_which_a_task_was_read_stays() -> None:
    first = begun([message(1)], NOW)
    assert begun(first, datetime.now(UTC)) == first
