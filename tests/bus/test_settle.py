import asyncio
from collections.abc import Iterable, Mapping

import pytest

from sympozium.bus import settle as settling
from sympozium.bus.nats import NatsBus
from sympozium.bus.ports import Delivery
from sympozium.bus.settle import settle
from sympozium.bus.suspects import LATE_DEATHS, FatalMessageError, Suspects
from sympozium.contract.dead_letters import read_headers
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_ATTEMPTS
from sympozium.contract.subjects import DEAD, INBOX, dead, inbox, inbox_consumer

SUBJECT = inbox("default", "web")
LINE = inbox_consumer("default")


class Memory:
    """Marks that outlive a program, in a test that plays several."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def read(self, keys: Iterable[str]) -> dict[str, str]:
        return {key: self.kept[key] for key in keys if key in self.kept}

    async def keep(self, kept: Mapping[str, str]) -> None:
        self.kept = {key: text for key, text in {**self.kept, **kept}.items() if text}


async def fine(_: Delivery) -> None:
    return


async def forever() -> None:
    await asyncio.Event().wait()


async def die(suspects: Suspects, sequence: int) -> None:
    """Begin with a message and be gone before it is handled."""
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await forever()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(suspects.handle(sequence, work))
        await begun.wait()
        task.cancel()


async def test_what_fails_because_something_is_away_is_never_given_up(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "LONGEST_PAUSE_S", 0.01)
    await bus.publish(SUBJECT, b"a", message_id="1")
    tries = 0

    async def away(_: Delivery) -> None:
        nonlocal tries
        tries += 1
        if tries <= 3 * MAX_ATTEMPTS:
            raise TransientError("cannot: it is away")

    async with bus.consume(LINE) as deliveries:
        while tries <= 3 * MAX_ATTEMPTS:
            await settle(await anext(deliveries), away)
    assert await bus.last(DEAD, dead(INBOX, "default", "web")) is None


@pytest.mark.parametrize("attempt", [1, 2, 1030, 100_000])
def test_the_pause_is_bounded_however_often_it_was_delivered(attempt: int) -> None:
    assert 0 < settling._pause_s(attempt) <= settling.LONGEST_PAUSE_S


async def test_a_handler_with_a_bug_is_given_up_after_so_many_attempts_and_says_why(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "LONGEST_RETRY_S", 0.01)
    monkeypatch.setattr(settling, "FIRST_RETRY_S", 0.01)
    sent = await bus.publish(SUBJECT, b"secret words", message_id="1")

    async def broken(_: Delivery) -> None:
        raise KeyError("secret words")

    async with bus.consume(LINE) as deliveries:
        await settle(await anext(deliveries), broken)
    kept = await bus.last(DEAD, dead(INBOX, "default", "web"))
    assert kept is not None
    letter = read_headers(kept.subject, kept.headers)
    assert kept.data == b"secret words"
    assert (letter.stream, letter.subject, letter.sequence) == (INBOX, SUBJECT, sent.sequence)
    assert letter.attempts == MAX_ATTEMPTS
    assert letter.owner == ("default", "web")
    assert "KeyError" in letter.reason
    assert "secret words" not in letter.reason


async def test_whoever_waits_is_told_before_a_delivery_is_set_aside(
    bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "FIRST_RETRY_S", 0.01)
    await bus.publish(SUBJECT, b"", message_id="1")
    told: list[tuple[str, bool]] = []

    async def never(_: Delivery) -> None:
        raise PermanentError("it is not one of ours")

    async def tell(_: Delivery, reason: str) -> None:
        is_kept = await bus.last(DEAD, dead(INBOX, "default", "web")) is not None
        told.append((reason, is_kept))
        if len(told) == 1:
            raise TransientError("cannot: it is away")
        raise KeyError("a bug, which keeps nothing out of the dead letters")

    async with bus.consume(LINE) as deliveries:
        await settle(await anext(deliveries), never, tell=tell)
    assert told == [("it is not one of ours", False)] * 2
    assert await bus.last(DEAD, dead(INBOX, "default", "web")) is not None


async def test_a_message_on_which_program_after_program_dies_is_given_up() -> None:
    memory = Memory()
    for _ in range(MAX_ATTEMPTS - 1):
        await die(Suspects(memory), 7)
    with pytest.raises(FatalMessageError) as caught:
        await Suspects(memory).handle(7, forever)
    assert caught.value.attempts == MAX_ATTEMPTS


async def test_what_was_away_when_it_was_tried_again_counts_for_nothing() -> None:
    memory = Memory()
    await die(Suspects(memory), 7)
    marks = dict(memory.kept)

    async def away() -> None:
        raise TransientError("cannot: it is away")

    for _ in range(3 * MAX_ATTEMPTS):
        with pytest.raises(TransientError):
            await Suspects(memory).handle(7, away)
    assert memory.kept == marks


async def test_programs_that_have_the_same_message_while_something_is_away_die_of_nothing() -> None:
    memory = Memory()
    programs = [Suspects(memory) for _ in range(3)]

    async def away() -> None:
        await asyncio.sleep(0)
        raise TransientError("cannot: it is away")

    async def try_for_long(program: Suspects) -> None:
        for _ in range(10 * MAX_ATTEMPTS):
            with pytest.raises(TransientError):
                await program.handle(7, away)

    async with asyncio.TaskGroup() as group:
        for program in programs:
            group.create_task(try_for_long(program))
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    await Suspects(memory).handle(7, work)
    assert (done, memory.kept) == ([1], {})


async def test_what_was_handled_or_refused_leaves_no_mark() -> None:
    memory = Memory()
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    async def refuse() -> None:
        raise PermanentError("cannot: it is bad")

    await die(Suspects(memory), 7)
    await Suspects(memory).handle(7, work)
    with pytest.raises(PermanentError):
        await Suspects(memory).handle(8, refuse)
    assert (done, memory.kept) == ([1], {})


async def live_on_and_die(memory: Memory) -> None:
    """Have a program die of message 7, not at once."""

    async def slow() -> None:
        while not memory.kept["tried:7"].endswith("+"):  # noqa: ASYNC110 - the marks have no event
            await asyncio.sleep(0.01)
        dying.set()
        await forever()

    dying = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Suspects(memory).handle(7, slow))
        await dying.wait()
        task.cancel()


async def test_what_only_takes_long_is_no_whole_death(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sympozium.bus.suspects.ALIVE_AFTER_S", 0.01)
    memory = Memory()
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    for _ in range(MAX_ATTEMPTS):
        await live_on_and_die(memory)
    await Suspects(memory).handle(7, work)
    assert (done, memory.kept) == ([1], {})


async def test_a_message_of_which_programs_die_late_is_given_up_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sympozium.bus.suspects.ALIVE_AFTER_S", 0.01)
    memory = Memory()
    for _ in range(LATE_DEATHS * (MAX_ATTEMPTS - 1)):
        await live_on_and_die(memory)
    with pytest.raises(FatalMessageError) as caught:
        await Suspects(memory).handle(7, forever)
    assert caught.value.attempts == LATE_DEATHS * (MAX_ATTEMPTS - 1) + 1


async def test_of_those_that_somebody_may_have_died_of_one_is_begun_at_a_time() -> None:
    memory = Memory()
    for sequence in (1, 2, 3):
        await die(Suspects(memory), sequence)
    suspects = Suspects(memory)
    at_work, most = 0, 0

    async def work() -> None:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0)
        at_work -= 1

    async with asyncio.TaskGroup() as group:
        for sequence in (1, 2, 3):
            group.create_task(suspects.handle(sequence, work))
    assert most == 1


async def test_a_delivery_that_its_reader_dies_of_is_set_aside_and_the_next_is_handled(
    bus: NatsBus,
) -> None:
    memory = Memory()
    await bus.publish(SUBJECT, b"fatal", message_id="1")
    await bus.publish(SUBJECT, b"good", message_id="2")
    handled: list[bytes] = []

    async def handle(delivery: Delivery) -> None:
        if delivery.data == b"fatal":
            await forever()
        handled.append(delivery.data)

    async with bus.consume(LINE) as deliveries:
        kept = None
        while kept is None:  # each time another program
            delivery = await anext(deliveries)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(settle(delivery, handle, suspects=Suspects(memory)))
                await asyncio.wait([task], timeout=0.3)
                has_died = not task.done()
                task.cancel()
            if has_died:
                await delivery.retry(after_s=0)
            kept = await bus.last(DEAD, dead(INBOX, "default", "web"))
    assert kept.data == b"fatal"
    assert read_headers(kept.subject, kept.headers).attempts >= MAX_ATTEMPTS
    assert handled == [b"good"]


async def test_a_message_as_long_as_the_bus_takes_is_buried_as_far_as_it_fits(
    bus: NatsBus,
) -> None:
    data = b"x" * (bus.client.max_payload - 40)
    await bus.publish(SUBJECT, data, message_id="1")
    async with bus.consume(LINE) as deliveries:
        delivery = await anext(deliveries)
        await delivery.discard(reason="r" * 5000)
    kept = await bus.last(DEAD, dead(INBOX, "default", "web"))
    assert kept is not None
    assert data.startswith(kept.data)
    assert len(kept.data) > len(data) - 5000
    assert read_headers(kept.subject, kept.headers).size_bytes == len(data)


async def test_a_dead_letter_that_a_person_is_done_with_is_gone(bus: NatsBus) -> None:
    await bus.publish(SUBJECT, b"bad", message_id="1")
    async with bus.consume(LINE) as deliveries:
        await (await anext(deliveries)).discard(reason="bad")
    kept = await bus.last(DEAD, dead(INBOX, "default", "web"))
    assert kept is not None
    await bus.unbury(kept.sequence)
    await bus.unbury(kept.sequence)
    assert await bus.last(DEAD, kept.subject) is None
