"""From a run to what a person sees: the ends of messages, in OUTBOX and at the platform."""

from collections.abc import Iterator

from tests.model import stops
from tests.model.rules import Rules
from tests.model.state import Ask, Held, Message, Phase, Reply, Run, Says, State, Stuck

Step = tuple[str, State]


def run_to_outbox(state: State, rules: Rules) -> Iterator[Step]:
    """Yield every end that is due, by the state and not by what has just happened."""
    for index, run in enumerate(state.runs):
        if stops.has_no_run(state, run):
            yield from _told(state, index, rules, stops.said_of(state, run, rules))
        if not run.phase.is_terminal or (run.is_announced and 7 not in rules.kept):
            continue
        if 6 in rules.kept or run.phase is Phase.SUCCEEDED:
            yield from _told(state, index, rules, stops.said_of(state, run, rules))
        yield from _absorbed(state, index, rules)
    for message in state.known:
        if state.events[message].ask is Ask.STOP and not state.has_end(message):
            yield f"message {message}: told", _published(state, message, rules, Says.NOTICE)


def told_behind(state: State, rules: Rules) -> Iterator[Step]:
    """Yield an end that is told by who had read its message before that was to end early."""
    if "newest" in rules.kept:
        return
    for index, run in enumerate(state.runs):
        if run.message in state.behind and run.phase.is_terminal:
            yield from _told(state, index, rules, stops.said_by_phase(run))


def _told(state: State, index: int, rules: Rules, says: Says) -> Iterator[Step]:
    run = state.runs[index]
    if (3 in rules.kept and state.has_end(run.message)) or not _is_due(state, run, rules):
        return
    published = _published(state, run.message, rules, says)
    if published is not state:
        if says is Says.STOPPED and run.phase is Phase.SUCCEEDED:
            published = published.with_run(index, is_lost=True)
        seen = published.with_run(index, is_announced=True)
        yield f"run {index}: end told ({says.name})", published if 7 in rules.kept else seen


def _is_due(state: State, run: Run, rules: Rules) -> bool:
    """Return whether everything that was stored before *run*'s message has its end told."""
    return 5 not in rules.kept or all(
        state.has_end(letter.message)
        for letter in state.inbox[: run.sequence]
        if letter.message != run.message
        and rules.are_in_line(state, letter.message, run.message)
        and state.events[letter.message].ask is not Ask.TAKE_BACK
    )


def _absorbed(state: State, index: int, rules: Rules) -> Iterator[Step]:
    """Settle what was offered to a run that has ended: answered with it, or a run of its own."""
    leader = state.runs[index].message
    end = next((reply.says for reply in state.outbox if reply.message == leader), None)
    if end is None:
        return
    for message, offered_to in state.offered:
        if offered_to != index or state.has_end(message) or state.runs_of(message):
            continue
        by = state.cut_by(message)
        is_taken_in = message in state.runs[index].absorbed or "steer" not in rules.kept
        if by is not None:
            told = _published(state, message, rules, stops.said_of_cut(by))
            yield f"message {message}: told to be cut", told
        elif is_taken_in and end is not Says.NOTHING:
            joined = _published(state, message, rules, end, is_joined=True)
            yield f"message {message}: told to be answered", joined
        else:
            yield f"message {message}: has its turn", _with_turn(state, message)


def _with_turn(state: State, message: Message) -> State:
    sequence = state.sequence(message)
    assert sequence is not None
    return state._replace(runs=(*state.runs, Run(message, sequence, Phase.NAMED)))


def _published(
    state: State, message: int, rules: Rules, says: Says, *, is_joined: bool = False
) -> State:
    place = message if "place" in rules.kept else state.latest
    if state.has_end(message) and 3 in rules.kept:
        return state
    if sum(r.message == message for r in state.outbox) >= len(state.runs_of(message)) > 0:
        return state
    reply = Reply(message, place, is_joined, says=says)
    return state._replace(outbox=(*state.outbox, reply))


def outbox_to_platform(state: State, rules: Rules) -> Iterator[Step]:
    """Yield what a channel does with the ends that it is given."""
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
