"""Everything that can happen next, by the rules that are kept.

Each step is what one program does between two places where it may die. A rule that
is left out is replaced by what a system without it does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.model.state import Held, Letter, Message, Phase, Reply, Run, State, Stuck

Step = tuple[str, State]


@dataclass(frozen=True)
class Rules:
    """The rules of the design by their numbers, and two of the modes and of addressing.

    Attributes:
        kept: 1 to 9 as in the design; "steer": only what an agent confirmed counts as
            answered by its run; "place": a reply is addressed by its message; "apart": a
            conversation waits for nothing of another one; "stay": an agent stays until its
            answer is on the bus, so that a bridge that died is started again.
        steers: A message that comes while a run is at work is handed to it.
    """

    kept: frozenset[int | str] = field(
        default_factory=lambda: frozenset({*range(1, 10), "steer", "place", "apart", "stay"})
    )
    steers: bool = False

    def are_in_line(self, state: State, one: Message, other: Message) -> bool:
        """Return whether one of two messages waits for the other."""
        if "apart" not in self.kept:
            return True
        return state.conversation(one) == state.conversation(other)

    def without(self, rule: int | str) -> "Rules":
        """Return these rules with one left out."""
        return replace(self, kept=self.kept - {rule})


def steps(state: State, rules: Rules) -> Iterator[Step]:
    """Yield everything that happens next by itself, sooner or later."""
    yield from _platform_to_inbox(state, rules)
    yield from _inbox_to_run(state, rules)
    yield from _run(state, rules)
    yield from _run_to_outbox(state, rules)
    yield from _outbox_to_platform(state, rules)


def mishaps(state: State, rules: Rules) -> Iterator[Step]:
    """Yield everything that may happen next and need not: faults, and a person's Stop."""
    yield from _ended_runs(state)
    if state.faults:
        worse = state._replace(faults=state.faults - 1)
        yield from _crashes(worse)
        yield from _deaths_of_bridges(worse, rules)
        yield from _given_to_another(worse)
        yield from _trouble_with_the_api(worse, rules)
        yield from _refusals(worse, rules)


def _platform_to_inbox(state: State, rules: Rules) -> Iterator[Step]:
    for index, event in enumerate(state.events):
        name = f"message {event.message}"
        match event.held:
            case Held.NO if not event.is_confirmed:
                yield f"{name}: delivered", state.with_event(index, held=Held.TAKEN)
            case Held.NO if event.repeats:
                again = state.with_event(index, held=Held.TAKEN, repeats=event.repeats - 1)
                yield f"{name}: delivered again", again
            case Held.TAKEN if 1 in rules.kept:
                yield f"{name}: stored", _stored(state, index, rules, Held.HALF)
            case Held.TAKEN:
                early = state.with_event(index, held=Held.HALF, is_confirmed=True)
                yield f"{name}: confirmed", early
            case Held.HALF if 1 in rules.kept:
                done = state.with_event(index, held=Held.NO, is_confirmed=True)
                yield f"{name}: confirmed", done
            case Held.HALF:
                yield f"{name}: stored", _stored(state, index, rules, Held.NO)


def _stored(state: State, index: int, rules: Rules, held: Held) -> State:
    message = state.events[index].message
    state = state.with_event(index, held=held)._replace(latest=message)
    is_known = any(letter.message == message for letter in state.inbox)
    if is_known and 2 in rules.kept:
        return state
    return state._replace(inbox=(*state.inbox, Letter(message)))


ROUTERS = ("held", "other")
"""Fields of a letter: who may be at it."""


def _inbox_to_run(state: State, rules: Rules) -> Iterator[Step]:
    for index, letter in enumerate(state.inbox):
        if letter.held is Held.NO and not letter.is_acked:
            yield f"letter {index}: fetched", state.with_letter(index, held=Held.TAKEN)
        for router in ROUTERS:
            yield from _routed(state, index, router, rules)


def _routed(state: State, index: int, router: str, rules: Rules) -> Iterator[Step]:
    """Yield what *router* does next with a letter that it has."""
    name = f"letter {index} ({router})"
    match getattr(state.inbox[index], router):
        case Held.TAKEN if 4 in rules.kept:
            if _is_next(state, index, rules):
                half = state.with_letter(index, **{router: Held.HALF})
                yield f"{name}: decided", _decided(half, index, rules)
        case Held.TAKEN:
            early = state.with_letter(index, is_acked=True, **{router: Held.HALF})
            yield f"{name}: acked", early
        case Held.HALF if 4 in rules.kept:
            done = state.with_letter(index, is_acked=True, **{router: Held.NO})
            yield f"{name}: acked", done
        case Held.HALF:
            done = state.with_letter(index, **{router: Held.NO})
            yield f"{name}: decided", _decided(done, index, rules)


def _is_next(state: State, index: int, rules: Rules) -> bool:
    """Return whether all that was stored before is decided: one conversation, one queue."""
    return 5 not in rules.kept or all(
        state.runs_of(letter.message) or letter.message in dict(state.offered)
        for letter in state.inbox[:index]
        if rules.are_in_line(state, letter.message, state.inbox[index].message)
    )


def _decided(state: State, index: int, rules: Rules, phase: Phase = Phase.WAITING) -> State:
    """Give a message its run, or hand it to the run at work: both are durable."""
    message = state.inbox[index].message
    is_same = [run.sequence == index or 2 in rules.kept for run in state.runs_of(message)]
    if any(is_same) and 3 in rules.kept:
        return state
    if message in dict(state.offered):
        return state
    at_work = [
        n
        for n, run in enumerate(state.runs)
        if run.phase in {Phase.RUNNING, Phase.WRITTEN}
        and rules.are_in_line(state, run.message, message)
    ]
    if rules.steers and at_work:
        return state._replace(offered=state.offered | {(message, at_work[0])})
    return _created(state, message, index, phase)


def _created(state: State, message: Message, sequence: int, phase: Phase = Phase.WAITING) -> State:
    return state._replace(runs=(*state.runs, Run(message, sequence, phase)))


def _run(state: State, rules: Rules) -> Iterator[Step]:
    for index, run in enumerate(state.runs):
        name = f"run {index}"
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


def _ended_runs(state: State) -> Iterator[Step]:
    for index, run in enumerate(state.runs):
        if run.phase is Phase.RUNNING and state.faults:
            failed = state.with_run(index, phase=Phase.FAILED)
            yield f"run {index}: fails", failed._replace(faults=state.faults - 1)
        if not run.phase.is_terminal and state.stops:
            stopped = state.with_run(index, phase=Phase.CANCELLED)
            yield f"run {index}: is stopped", stopped._replace(stops=state.stops - 1)


def _may_start(state: State, run: Run, rules: Rules) -> bool:
    earlier = [
        other
        for other in state.runs
        if other.sequence < run.sequence and rules.are_in_line(state, other.message, run.message)
    ]
    return 5 not in rules.kept or all(other.phase.is_terminal for other in earlier)


def _run_to_outbox(state: State, rules: Rules) -> Iterator[Step]:
    for index, run in enumerate(state.runs):
        if not run.phase.is_terminal or (run.is_announced and 7 not in rules.kept):
            continue
        if (6 in rules.kept or run.phase is Phase.SUCCEEDED) and _is_due(state, run, rules):
            published = _published(state, run.message, rules)
            if published != state:
                seen = published.with_run(index, is_announced=True)
                yield f"run {index}: end told", published if 7 in rules.kept else seen
        yield from _absorbed(state, index, rules)


def _is_due(state: State, run: Run, rules: Rules) -> bool:
    """Return whether everything that was stored before *run*'s message has its end told."""
    told = {reply.message for reply in state.outbox}
    earlier = {
        letter.message
        for letter in state.inbox[: run.sequence]
        if rules.are_in_line(state, letter.message, run.message)
    } - {run.message}
    return 5 not in rules.kept or earlier <= told


def _absorbed(state: State, index: int, rules: Rules) -> Iterator[Step]:
    """Settle what was offered to a run that has ended: answered with it, or a run of its own."""
    for message, offered_to in state.offered:
        if offered_to != index or not any(
            r.message == state.runs[index].message for r in state.outbox
        ):
            continue
        if message in state.runs[index].absorbed or "steer" not in rules.kept:
            joined = _published(state, message, rules, is_joined=True)
            if joined != state:
                yield f"message {message}: told to be answered", joined
        elif not state.runs_of(message):
            sequence = [letter.message for letter in state.inbox].index(message)
            yield f"message {message}: gets its own run", _created(state, message, sequence)


def _published(state: State, message: int, rules: Rules, *, is_joined: bool = False) -> State:
    place = message if "place" in rules.kept else state.latest
    if any(reply.message == message for reply in state.outbox) and 3 in rules.kept:
        return state
    if sum(r.message == message for r in state.outbox) >= len(state.runs_of(message)) > 0:
        return state
    return state._replace(outbox=(*state.outbox, Reply(message, place, is_joined)))


def _outbox_to_platform(state: State, rules: Rules) -> Iterator[Step]:
    for index, reply in enumerate(state.outbox):
        before = [
            other
            for other in state.outbox[:index]
            if rules.are_in_line(state, other.message, reply.message)
        ]
        if any(not other.is_acked for other in before):
            continue  # of one conversation, one after another
        name = f"reply {index}"
        match reply.held:
            case Held.NO if not reply.is_acked:
                yield f"{name}: fetched", state.with_reply(index, held=Held.TAKEN)
            case Held.TAKEN if reply.message not in state.placeholders and 9 in rules.kept:
                placed = state.placeholders | {reply.message}
                yield f"{name}: placeholder recorded", state._replace(placeholders=placed)
            case Held.TAKEN if state.events[reply.message].stuck is Stuck.REPLY:
                pass
            case Held.TAKEN if 8 in rules.kept:
                yield f"{name}: shown", _shown(state, index, rules, Held.HALF)
            case Held.TAKEN:
                yield f"{name}: acked", state.with_reply(index, held=Held.HALF, is_acked=True)
            case Held.HALF if 8 in rules.kept:
                yield f"{name}: acked", state.with_reply(index, held=Held.NO, is_acked=True)
            case Held.HALF:
                yield f"{name}: shown", _shown(state, index, rules, Held.NO)


def _shown(state: State, index: int, rules: Rules, held: Held) -> State:
    reply = state.outbox[index]
    shown = (reply.message, reply.place)
    state = state.with_reply(index, held=held)
    if 9 in rules.kept and shown in state.shown:
        return state  # the edit finds what it would write
    return state._replace(shown=(*state.shown, shown))


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
        if not takers or not _is_next(state, index, rules):
            continue
        yield f"letter {index}: decided, and nobody told", _decided(state, index, rules)
        refused = _decided(state, index, rules, Phase.REFUSED)
        yield f"letter {index}: its run is refused", refused


def _deaths_of_bridges(state: State, rules: Rules) -> Iterator[Step]:
    """Yield the end of a bridge that nobody starts again, since its agent has left."""
    for index, run in enumerate(state.runs):
        if run.phase is Phase.WRITTEN and "stay" not in rules.kept:
            lost = state.with_run(index, phase=Phase.FAILED, is_lost=True)
            yield f"run {index}: its bridge dies", lost


def _crashes(state: State) -> Iterator[Step]:
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
    if unseen:
        missed = state
        for index in unseen:
            missed = missed.with_run(index, is_announced=True)
        yield "router dies as a run ends", missed
    if any(reply.held is not Held.NO for reply in state.outbox):
        outbox = tuple(reply._replace(held=Held.NO) for reply in state.outbox)
        yield "channel dies on its way out", state._replace(outbox=outbox)
