"""What people see on pages and at a platform, held against what they ought to see."""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from sympozium.contract.messages import OutboundKind
from sympozium.contract.resources import AGENT_RUNS
from sympozium.testing.channels.driver import Seen, Where
from tests.fault import loads
from tests.fault.ledger import Breach, Entry, Placed, Said, out_of_order
from tests.fault.loads import Crowd
from tests.fault.observer import Observer

POLL_S = 0.1
MARKS = re.compile(r"part-\d+-of-\w+")
"""What every part of a long answer begins with."""


async def all_seen(crowd: Crowd) -> None:
    """Return when everybody sees what they ought to see."""
    while await wrongly_seen(crowd):  # noqa: ASYNC110 - another program shows it
        await asyncio.sleep(POLL_S)


async def wrongly_seen(crowd: Crowd) -> list[Entry]:
    """Return what a person does not see as it should be, conversation by conversation."""
    entries: list[Entry] = []
    texts = {} if crowd.driver is None else shown(crowd.places, crowd.driver.seen)
    for name in sorted({one.conversation for one in crowd.said}):
        said = [one for one in crowd.said if one.conversation == name]
        if name in crowd.places:
            entries += wrong_at_platform(crowd.observer, name, said, texts)
        else:
            entries += wrong_on_page(crowd.observer, said, await crowd.person.transcript(name))
    return [replace(entry, detail=f"as seen, {entry.detail}") for entry in entries]


async def run_twice(crowd: Crowd) -> list[Entry]:
    """Return what has more than one run."""
    runs = (await crowd.kube.list(AGENT_RUNS, "default")).items
    answered = Counter((run["spec"].get("source") or {}).get("messageId") for run in runs)
    return [
        Entry(Breach.DOUBLED, one, "has two runs")
        for one in crowd.said
        for stored in crowd.observer.stored(one.token)
        if answered[stored.message.message_id] > 1
    ]


def leftovers(crowd: Crowd) -> int:
    """Count what a bot shows in the places of *crowd* that is no part of an answer."""
    if crowd.driver is None:
        return 0
    errors = [text for one in crowd.said for text in _errors(one, crowd.observer)]
    words = (*loads.WORDS_OF_ANSWERS, *errors)
    posts = [post for where in crowd.places.values() for post in crowd.posts(where)]
    return sum(not any(word in _plain(post.text) for word in words) for post in posts)


def wrong_on_page(
    observer: Observer, said: list[Said], page: list[dict[str, object]]
) -> Iterator[Entry]:
    """Yield what *said*, all of one conversation, has on its *page* that it ought not to have."""
    seen: list[Placed] = []
    for one in said:
        ids = {stored.message.message_id for stored in observer.stored(one.token)}
        ends = [end.kind.value for id_ in ids for end in observer.ends(id_)]
        replies = [
            place
            for place, entry in enumerate(page)
            if entry["role"] == "assistant" and entry["in_reply_to"] in ids
        ]
        wanted = sum(kind in {"final", "error"} for kind in ends)
        if len(replies) != wanted or not ends:
            breach = Breach.DOUBLED if len(replies) > wanted else Breach.SILENT
            yield Entry(breach, one, f"{len(replies)} replies to {ends}")
        elif replies and not one.is_command:
            seen.append(Placed(_asked(one, observer), replies[0], one))
    yield from out_of_order(seen)


def wrong_at_platform(
    observer: Observer, name: str, said: list[Said], texts: dict[str, str]
) -> Iterator[Entry]:
    """Yield what *said* in the place *name* has in *texts*, by place, that it ought not to have."""
    seen: list[Placed] = []
    for one in said:
        parts, is_silent = _to_be_shown(one, observer), _is_silent(one, observer)
        wrong = list(_wrong_here(one, parts, texts[name], wanted=0 if is_silent else 1))
        if not (wrong or is_silent) and one.is_in_line:
            seen.append(Placed(_asked(one, observer), texts[name].index(parts[0]), one))
        yield from wrong
        yield from _misplaced(one, parts, {at: texts[at] for at in texts if at != name})
    yield from out_of_order(seen)


def _wrong_here(said: Said, parts: list[str], text: str, *, wanted: int) -> Iterator[Entry]:
    for part in parts:
        if (count := text.count(part)) != wanted:
            breach = Breach.DOUBLED if count > wanted else Breach.SILENT
            yield Entry(breach, said, f"{part!r} {count} times in {text[:60]!r}")
    places = [text.index(part) for part in parts if part in text]
    if places != sorted(places):
        yield Entry(Breach.DISORDERED, said, "the parts of its answer")


def _misplaced(said: Said, parts: list[str], texts: Mapping[str, str]) -> Iterator[Entry]:
    for name, text in texts.items():
        for part in parts:
            if part in text:
                yield Entry(Breach.MISPLACED, said, f"{part!r} in {name}")


def shown(places: Mapping[str, Where], seen: Callable[[Where], list[Seen]]) -> dict[str, str]:
    """Return what the bot shows in each place, from the oldest post to the newest.

    A room is also a place beside the threads in it, where no answer has to be.
    """
    threads = {where.thread for where in places.values() if where.thread}
    rooms = {where.name: where for where in places.values() if where.thread}
    beside = {
        f"room {name!r}, beside its threads": [
            post for post in seen(Where(where.spot, where.name)) if post.in_thread_of not in threads
        ]
        for name, where in rooms.items()
    }
    within = {name: loads.posts_in(where, seen) for name, where in places.items()}
    return {name: _read(posts) for name, posts in (within | beside).items()}


def _read(posts: list[Seen]) -> str:
    return " ".join(_plain(post.text) for post in posts if post.id != "draft")


def _is_silent(said: Said, observer: Observer) -> bool:
    """Return whether nothing has to be shown of a message: who wrote it took it back in time."""
    stored = observer.stored(said.token)
    ends = [end for one in stored for end in observer.ends(one.message.message_id)]
    is_dropped = any(end.kind is OutboundKind.DROPPED for end in ends)
    return said.is_withdrawn and (is_dropped or not stored)


def _asked(said: Said, observer: Observer) -> int:
    """Return the place of *said* in INBOX; behind all others while it is not there."""
    return min((stored.sequence for stored in observer.stored(said.token)), default=sys.maxsize)


def _to_be_shown(said: Said, observer: Observer) -> list[str]:
    """Return what a platform has to show of the end of *said*, each once and in this order."""
    ends = observer.ends_of(said.token)
    texts = [end.text for end in ends if end.kind is OutboundKind.FINAL]
    marks = [mark for text in texts[:1] for mark in MARKS.findall(text)]
    return _errors(said, observer)[:1] or [f"reply to {said.token}", *marks]


def _errors(said: Said, observer: Observer) -> list[str]:
    ends = observer.ends_of(said.token)
    return [_plain(end.error.message) for end in ends if end.error is not None]


def _plain(text: str) -> str:
    """Return a text without what a platform makes markup of."""
    return text.replace("`", "").replace("*", "").replace("_", "")
