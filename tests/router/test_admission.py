"""Who is heard, and what becomes of those who are not."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.messages import OutboundKind, Place, Sender
from sympozium.contract.names import ConversationId
from sympozium.contract.resources import AGENT_RUNS, AGENTS, CHANNELS, Object
from sympozium.contract.times import kube_time, parse_kube_time
from sympozium.store.ports import Conversation
from sympozium_router.clock import utc_now
from sympozium_router.inbox.pairing import ALPHABET, MAX_OPEN, new_code, pair, still_open
from tests.router.routed import ADA, CHANNEL, NAMESPACE, World, agent, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
BOB = Sender(platform="web", user_id="bob", display_name="Bob")
EVE = Sender(platform="web", user_id="eve", display_name="Eve <!channel>")
PATIENCE_S = 30.0
DISCORD = {"type": "discord", "configRef": {"secret": "tokens"}}
"""A platform that tells of groups and of threads. The router does not care who brings messages."""
TALK = Conversation(NAMESPACE, CHANNEL, ConversationId("c"))


async def pairings(world: World) -> list[Object]:
    channel = await world.kube.get(CHANNELS, NAMESPACE, CHANNEL)
    found: list[Object] = channel.get("status", {}).get("pairings", [])
    return found


async def for_bob(world: World, **access: object) -> None:
    await world.set_channel(access={"users": ["bob"], **access})


async def barrier(world: World, name: str = "barrier") -> None:
    """Wait until everything that was said before is dealt with."""
    await world.shown.end_of(await world.command(name, "help", sender=BOB, conversation="other"))
    await world.shown.end_of(await world.command(f"{name}-c", "help", sender=BOB))


async def test_a_stranger_is_told_a_code_once_and_an_operator_sees_who_asked(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            ids = [await world.say(str(n), sender=EVE, conversation=f"c{n}") for n in range(3)]
            ends = [await world.shown.end_of(id_) for id_ in ids]
            (pairing,) = await pairings(world)
            runs = (await world.kube.list(AGENT_RUNS)).items
    told = [end for end in ends if end.kind is OutboundKind.ERROR]
    dropped = [end for end in ends if end.kind is OutboundKind.DROPPED]
    assert (len(told), len(dropped)) == (1, 2)
    assert told[0].error is not None
    assert told[0].is_private
    assert f"sympozium channel pair {CHANNEL} {pairing['code']}" in told[0].error.message
    assert (pairing["userId"], pairing["displayName"]) == ("eve", "Eve < channel>")
    left = parse_kube_time(pairing["expiresAt"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(days=1)
    assert runs == []


async def test_a_stranger_who_asks_again_the_next_day_is_told_again(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world)
        world.now = utc_now()
        async with world.router():
            first = await world.shown.end_of(await world.say("1", sender=EVE))
            (before,) = await pairings(world)
            world.now += timedelta(hours=25)
            second = await world.shown.end_of(await world.say("2", sender=EVE))
            (after,) = await pairings(world)
    assert [end.kind for end in (first, second)] == [OutboundKind.ERROR] * 2
    assert before["code"] != after["code"]  # the first one had expired, and is gone


async def test_codes_that_have_expired_are_taken_away(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            await world.shown.end_of(await world.say("1", sender=EVE))
        world.now = utc_now() + timedelta(hours=26)
        async with world.router():

            async def are_gone() -> bool:
                return not await pairings(world)

            await until(are_gone)


async def test_a_refusal_waits_for_nobody(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            at_work = await world.say("1", sender=BOB)
            await world.shown.accepted(at_work)
            ends = [await world.shown.end_of(await world.say(str(n), sender=EVE)) for n in (2, 3)]
            assert world.shown.ends(at_work) == []
    assert [end.kind for end in ends] == [OutboundKind.ERROR, OutboundKind.DROPPED]


async def test_the_same_message_of_a_stranger_is_told_the_same_thing_whatever_comes_twice(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            for copy in range(5):
                message_id = await world.say("1", sender=EVE, nats_id=f"copy-{copy}")
            end = await world.shown.end_of(message_id)
            await barrier(world)
            (pairing,) = await pairings(world)
    assert len(world.shown.of(message_id)) == 1
    assert end.error is not None
    assert pairing["code"] in end.error.message


async def test_without_pairing_no_code_is_made(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world, pairing=False)
        async with world.router():
            end = await world.shown.end_of(await world.say("1", sender=EVE))
            assert await pairings(world) == []
    assert end.error is not None
    assert "channel pair" not in end.error.message
    assert "user id eve" in end.error.message


async def heard_at_last(world: World, sender: Sender) -> str:
    """Say something until the router knows that *sender* may; return that message."""
    attempts = itertools.count()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message_id = await world.say(f"try-{next(attempts)}", sender=sender)
            if (await world.shown.accepted(message_id)).kind is OutboundKind.ACCEPTED:
                return message_id
            await asyncio.sleep(0.1)


async def test_who_was_let_in_is_heard(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            await world.shown.end_of(await world.say("1", sender=EVE))
            await world.set_channel(access={"users": ["bob", "eve"]})
            message_id = await heard_at_last(world, EVE)
            await world.answer(message_id, "welcome")
            assert (await world.shown.end_of(message_id)).text == "welcome"


async def test_groups_and_chats_are_let_in_as_a_whole(open_world: OpenWorld) -> None:
    async with open_world() as world:
        access = {"users": [], "groups": ["sre"], "chats": ["C1"]}
        await world.set_channel(**DISCORD, access=access)
        async with world.router():
            in_group = Sender(platform="web", user_id="eve", groups=["sre"])
            heard = [
                await world.say("1", sender=in_group),
                await world.say("2", sender=EVE, place=Place(chat="C1")),
            ]
            for message_id in heard:
                assert (await world.shown.accepted(message_id)).kind is OutboundKind.ACCEPTED
            refused = await world.say("3", sender=BOB, place=Place(chat="C2"), conversation="d")
            assert (await world.shown.end_of(refused)).kind is OutboundKind.ERROR


async def test_a_thread_goes_on_without_a_mention_and_leaves_no_trace_of_others(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        unheard = await world.say("0", sender=ADA, addressed=False)
        first = await world.say("1", "@bot hello", sender=ADA)
        await world.answer(first, "hi")
        await world.shown.end_of(first)
        followed = await world.say("2", "and now?", sender=ADA, addressed=False)
        await world.answer(followed, "now this")
        await world.shown.end_of(followed)
        other = await world.say("3", "what is that?", sender=BOB, addressed=False)
        left = await world.say("4", "a bot", sender=ADA, addressed=False)
        back = await world.say("5", "@bot again", sender=ADA)
        await world.answer(back, "here")
        await world.shown.end_of(back)
        again = await world.say("6", "thanks", sender=ADA, addressed=False)
        await world.shown.accepted(again)
        rows = await world.store.transcript(TALK, limit=99)
    assert [row.id for row in rows] == [first, followed, back, again]
    for message_id in (unheard, other, left):
        assert world.shown.of(message_id) == []


async def test_a_stranger_in_a_thread_is_not_even_refused(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            first = await world.say("1", sender=BOB)
            await world.answer(first, "hi")
            await world.shown.end_of(first)
            await world.say("2", sender=EVE, addressed=False)
            await barrier(world)
            rows = await world.store.transcript(TALK, limit=99)
            assert await pairings(world) == []
    assert [row.inbound.sender.user_id for row in rows] == ["bob", "bob"]


async def test_threads_are_not_followed_where_the_channel_says_so(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.set_channel(**DISCORD, triggers={"followThreads": False})
        async with world.router():
            first = await world.say("1", sender=BOB)
            await world.shown.accepted(first)
            await world.say("2", sender=BOB, addressed=False)
            await barrier(world)
            assert len(await world.store.transcript(TALK, limit=99)) == 2


async def test_the_agent_that_is_called_answers_under_its_own_name(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.kube.create(AGENTS, agent("coder"))
        await world.kube.create(AGENTS, agent("ops"))
        await world.set_channel(agents=["coder"], routes=[{"agentRef": "ops", "chat": "C1"}])
        async with world.router():
            called = await world.say("1", "@coder fix it", place=Place(chat="C1"))
            routed = await world.say("2", "restart it", place=Place(chat="C1"), conversation="d")
            other = await world.say("3", "hello", conversation="e")
            runs = [await world.run_of(id_) for id_ in (called, routed, other)]
            accepted = [await world.shown.accepted(id_) for id_ in (called, routed, other)]
    assert [run["spec"]["agentRef"] for run in runs] == ["coder", "ops", "helper"]
    assert [shown.agent for shown in accepted] == ["coder", "ops", "helper"]
    assert runs[0]["spec"]["task"] == "fix it"


async def test_a_route_to_an_agent_that_is_not_there_says_so(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await world.set_channel(routes=[{"agentRef": "gone", "chat": "C1"}])
        async with world.router():
            message_id = await world.say("1", place=Place(chat="C1"))
            end = await world.shown.end_of(message_id)
    assert end.error is not None
    assert end.error.code == "AgentNotFound"
    assert "agent gone" in end.error.message


async def test_an_api_server_that_is_away_does_not_lose_a_stranger(open_world: OpenWorld) -> None:
    async with open_world() as world:
        await for_bob(world)
        async with world.router():
            await world.api.stop()
            message_id = await world.say("1", sender=EVE)

            await world.api.start()
            end = await world.shown.end_of(message_id)
            (pairing,) = await pairings(world)
    assert end.error is not None
    assert pairing["code"] in end.error.message


NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_codes_are_unlike_and_hold_nothing_that_is_misread() -> None:
    codes = {new_code() for _ in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 6 and set(code) <= set(ALPHABET) for code in codes)
    assert not set("ILO01") & set(ALPHABET)


def asking(n: int, *, minutes_left: int = 30) -> Object:
    expires = kube_time(NOW + timedelta(minutes=minutes_left))
    return {"code": f"CODE{n}", "userId": f"u{n}", "displayName": "", "expiresAt": expires}


def test_who_has_a_code_keeps_it_and_nothing_is_written() -> None:
    paired = pair({"pairings": [asking(1)]}, Sender(platform="p", user_id="u1"), "NEW", now=NOW)
    assert (paired.code, paired.pairings) == ("CODE1", None)


def test_no_more_codes_are_open_than_may_be_and_expired_ones_make_room() -> None:
    stranger = Sender(platform="p", user_id="eve")
    full = [asking(n) for n in range(MAX_OPEN)]
    assert pair({"pairings": full}, stranger, "NEW", now=NOW).code == ""
    one_old = [asking(99, minutes_left=-1), *full[1:]]
    paired = pair({"pairings": one_old}, stranger, "NEW", now=NOW)
    assert paired.code == "NEW"
    assert paired.pairings is not None
    assert [one["code"] for one in paired.pairings] == [
        *(one["code"] for one in full[1:]),
        "NEW",
    ]


@given(written=st.lists(st.dictionaries(st.text(max_size=9), st.text() | st.none(), max_size=3)))
def test_what_was_written_by_hand_is_taken_for_expired(written: list[Object]) -> None:
    assert still_open(written, now=NOW) == []
