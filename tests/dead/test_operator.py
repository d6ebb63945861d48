from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import aiohttp
import msgspec
import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.intake import Intake
from sympozium.contract.dead_letters import DeadLetter
from sympozium.contract.envelope import decode, encode, unwrap, wrap
from sympozium.contract.messages import OutboundKind, OutboundMessage
from sympozium.contract.names import ConversationId, MessageId, RunName, short_hash
from sympozium.contract.operate import DEAD_LETTERS, Action, DeadAnswer, DeadRequest
from sympozium.contract.resources import AGENT_RUNS, CHANNELS, Object
from sympozium.contract.subjects import INBOX, OUTBOX, RUNS, outbox
from sympozium.runtime.health import Health
from sympozium_router.dead import death_toll
from tests.dead.test_retry_command import press, set_aside
from tests.router.routed import ANSWER_WITHIN_S, CHANNEL, NAMESPACE, World, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


async def operate(bus: NatsBus, action: Action, id_: int = 0, **more: str | int) -> DeadAnswer:
    request = DeadRequest(action=action, id=id_, **more)  # type: ignore[arg-type] # checked there
    return decode(
        await bus.request(DEAD_LETTERS, encode(request), timeout_s=ANSWER_WITHIN_S), DeadAnswer
    )


async def only_letter(bus: NatsBus) -> int:
    (letter,) = (await operate(bus, Action.LIST)).letters
    return letter.id


def answer_nobody_saw(message_id: str = "m1", text: str = "the answer") -> OutboundMessage:
    return OutboundMessage(
        kind=OutboundKind.FINAL,
        message_id=MessageId(message_id),
        conversation=ConversationId("c"),
        reply_to="there",
        text=text,
    )


async def bury(bus: NatsBus, data: bytes, *, stream: str, subject: str, sequence: int = 1) -> None:
    now = datetime.now(UTC)
    letter = DeadLetter(stream, subject, sequence, "why", 1, now, size_bytes=len(data))
    await bus.bury(letter, data)


async def test_a_dead_message_is_listed_shown_and_put_through_by_an_operator(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            (listed,) = (await operate(bus, Action.LIST)).letters
            shown = await operate(bus, Action.SHOW, listed.id)
            done = await operate(bus, Action.RETRY, listed.id)
            await world.answer(f"{dead}~1", "here it is")
            end = await world.shown.end_of(f"{dead}~1")
            left = (await operate(bus, Action.LIST)).letters
    assert (listed.stream, listed.namespace, listed.name) == (INBOX, NAMESPACE, CHANNEL)
    assert listed.reference == short_hash(MessageId(dead))
    assert listed.attempts > 1
    assert "ZeroDivisionError" in listed.reason
    assert "stumble" in shown.text
    assert (done.error, end.text, left) == ("", "here it is", [])


async def test_what_an_operator_tries_again_its_sender_does_not(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        dead = await set_aside(world)
        async with world.router():
            await operate(bus, Action.RETRY, await only_letter(bus))
            run = await world.run_of(f"{dead}~1")
            told = await world.shown.end_of(await press(world, dead, "press"))
            await world.end_run(run, result="once")
            await world.shown.end_of(f"{dead}~1")
            runs = (await world.kube.list(AGENT_RUNS)).items
    assert told.text.startswith("This message is being tried again already")
    assert len(runs) == 1


async def test_what_its_sender_tries_again_is_no_dead_letter_any_more(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        await bury(bus, b"{", stream=INBOX, subject=f"inbox.{NAMESPACE}.{CHANNEL}", sequence=99)
        dead = await set_aside(world)
        async with world.router():
            await world.shown.end_of(await press(world, dead, "press"))
            left = (await operate(bus, Action.LIST)).letters
    assert [letter.sequence for letter in left] == [99]


async def test_a_dead_answer_is_sent_again_under_an_id_of_its_own(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    data = wrap(answer_nobody_saw(), id="m1/end", time=datetime.now(UTC))
    async with open_world() as world, world.router():
        await bury(bus, data, stream=OUTBOX, subject=outbox(NAMESPACE, CHANNEL))
        id_ = await only_letter(bus)
        await operate(bus, Action.RETRY, id_)
        again = await world.shown.end_of(f"m1~{id_}")
    assert (again.text, again.reply_to, again.again_for) == ("the answer", "there", "m1")


async def test_what_people_were_told_to_quote_is_what_a_letter_is_listed_by(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    first, again = answer_nobody_saw(), answer_nobody_saw("m1~7")
    shown = [
        msgspec.structs.replace(first, run_name=RunName("web-abc")),
        first,
        msgspec.structs.replace(again, again_for=first.message_id),
    ]
    async with open_world() as world, world.router():
        for number, answer in enumerate(shown, start=1):
            data = wrap(answer, id="m1/end", time=datetime.now(UTC))
            await bury(
                bus, data, stream=OUTBOX, subject=outbox(NAMESPACE, CHANNEL), sequence=number
            )
        await bury(bus, b"{}", stream=RUNS, subject="runs.default.u-1.out")
        await bury(bus, b"{", stream=INBOX, subject=f"inbox.{NAMESPACE}.{CHANNEL}")
        listed = [letter.reference for letter in (await operate(bus, Action.LIST)).letters]
    assert listed == ["web-abc", short_hash("m1"), short_hash("m1"), "", ""]


async def test_a_dead_letter_that_names_anothers_subject_is_sent_to_its_own_channel(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    data = wrap(answer_nobody_saw(), id="m1/end", time=datetime.now(UTC))
    headers = {"Sympozium-Subject": outbox(NAMESPACE, "other")}
    async with open_world() as world, world.router():
        subject = f"dead.{OUTBOX}.{NAMESPACE}.{CHANNEL}"
        await bus.client.jetstream().publish(subject, data, headers=headers)
        await operate(bus, Action.RETRY, await only_letter(bus))
        stored = await bus.last(OUTBOX, outbox(NAMESPACE, CHANNEL))
        elsewhere = await bus.last(OUTBOX, outbox(NAMESPACE, "other"))
    assert stored is not None
    assert unwrap(stored.data, OutboundMessage).text == "the answer"
    assert elsewhere is None


async def test_what_cannot_be_tried_again_says_so_and_stays(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world, world.router():
        await bury(bus, b"{}", stream=RUNS, subject="runs.default.u-1.out")
        await bury(bus, b"{", stream=INBOX, subject=f"inbox.{NAMESPACE}.{CHANNEL}")
        await Intake(bus, NAMESPACE, CHANNEL).set_aside(b"???", reason="no JSON")
        found = (await operate(bus, Action.LIST)).letters
        errors = [(await operate(bus, Action.RETRY, one.id)).error for one in found]
        none = (await operate(bus, Action.RETRY, 999)).error
        left = (await operate(bus, Action.LIST)).letters
    assert [one.reason for one in found] == ["why", "why", "no JSON"]
    for error, cause in zip(errors, ("what a run said", "envelope", "an event"), strict=True):
        assert cause in error
    assert none.startswith("cannot retry dead letter 999: there is none")
    assert left == found


async def test_a_dead_letter_is_dropped_for_good(open_world: OpenWorld, bus: NatsBus) -> None:
    async with open_world() as world, world.router():
        await bury(bus, b"{}", stream=RUNS, subject="runs.default.u-1.out")
        answer = await operate(bus, Action.DROP, await only_letter(bus))
        left = (await operate(bus, Action.LIST)).letters
    assert (answer.error, left) == ("", [])


async def test_a_list_is_of_what_is_asked_for_and_comes_in_pages(
    open_world: OpenWorld, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sympozium_router.dead.dead_letters.PAGE", 2)
    async with open_world() as world, world.router():
        for number in range(5):
            name = CHANNEL if number < 3 else "other"
            await bury(bus, b"", stream=INBOX, subject=f"inbox.{NAMESPACE}.{name}", sequence=number)
        first = await operate(bus, Action.LIST, name=CHANNEL)
        rest = await operate(bus, Action.LIST, name=CHANNEL, since=first.more_since)
        others = await operate(bus, Action.LIST, stream=OUTBOX)
    assert [len(first.letters), len(rest.letters), rest.more_since] == [2, 1, 0]
    assert others.letters == []


async def test_what_looks_like_a_secret_is_not_shown(open_world: OpenWorld, bus: NatsBus) -> None:
    data = b'{"token": "xoxb-1", "text": "hello", "response_url":"https://x/y"}\x1b[31m'
    async with open_world() as world, world.router():
        await bury(bus, data, stream=INBOX, subject=f"inbox.{NAMESPACE}.{CHANNEL}")
        text = (await operate(bus, Action.SHOW, await only_letter(bus))).text
    assert "hello" in text
    assert not [secret for secret in ("xoxb-1", "https://x/y", "\x1b") if secret in text]


def delivered(channel: Object) -> tuple[str, str]:
    """Return status and message of the condition, two empty texts where there is none."""
    for one in (channel.get("status") or {}).get("conditions") or ():
        if one["type"] == "Delivered":
            return one["status"], one["message"]
    return "", ""


async def test_a_channel_with_dead_letters_says_so_until_an_operator_is_done_with_them(
    open_world: OpenWorld, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(death_toll, "LOOK_EVERY_S", 0.05)
    async with open_world() as world, world.router():

        async def says(status: str) -> bool:
            return delivered(await world.kube.get(CHANNELS, NAMESPACE, CHANNEL))[0] == status

        assert await says("")
        await bury(bus, b"{", stream=INBOX, subject=f"inbox.{NAMESPACE}.{CHANNEL}")
        await until(lambda: says("False"))
        _, message = delivered(await world.kube.get(CHANNELS, NAMESPACE, CHANNEL))
        await operate(bus, Action.DROP, await only_letter(bus))
        await until(lambda: says("True"))
    assert "1 of INBOX" in message
    assert f"sympozium dead list --namespace {NAMESPACE} --name {CHANNEL}" in message


async def test_the_router_counts_dead_letters_for_whoever_measures(
    open_world: OpenWorld, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(death_toll, "LOOK_EVERY_S", 0.05)
    wanted = f'sympozium_dead_letters{{stream="INBOX",namespace="{NAMESPACE}",name="{CHANNEL}"}} 1'

    async def said(health: Health) -> str:
        async with (
            health.served(0) as port,
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as response,
        ):
            return await response.text()

    async with open_world() as world, world.router() as health:
        await bury(bus, b"{", stream=INBOX, subject=f"inbox.{NAMESPACE}.{CHANNEL}")

        async def is_counted() -> bool:
            return wanted in await said(health)

        await until(is_counted)
