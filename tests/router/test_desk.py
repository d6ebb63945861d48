"""What channels have the router keep, write and read for them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest

from sympozium.bus.nats import NatsBus
from sympozium.chat.desk import Desk
from sympozium.contract.desk import FetchAnswer, FetchRequest, NotesAnswer
from sympozium.contract.envelope import decode, encode
from sympozium.contract.errors import PermanentError, TransientError
from sympozium.contract.limits import MAX_NOTE_BYTES
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS, CHANNELS, Object
from sympozium.contract.subjects import fetch, file_part, notes
from sympozium_router.clock import utc_now
from tests.fixtures.nats_server import NatsServer
from tests.router.routed import ANSWER_WITHIN_S, CHANNEL, NAMESPACE, World, channel, until

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


def desk_of(world: World, name: str = CHANNEL) -> Desk:
    return Desk(world.bus, NAMESPACE, name)


async def status_of(world: World, name: str = CHANNEL) -> Object:
    found = await world.kube.get(CHANNELS, NAMESPACE, name)
    status: Object = found.get("status", {})
    return status


async def fetched(world: World, asker: str, owner: str, file_id: str = "f", part: int = 0) -> str:
    request = encode(FetchRequest(owner=owner, id=file_id, part=part))
    data = await world.bus.request(fetch(NAMESPACE, asker), request, timeout_s=ANSWER_WITHIN_S)
    answer = decode(data, FetchAnswer)
    return answer.error or answer.data.decode()


async def test_a_channel_that_was_restarted_finds_its_notes(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        await desk_of(world).keep({"post:1": "P1", "post:2": "P2"})
        assert await desk_of(world).read(["post:1", "post:9"]) == {"post:1": "P1"}
        assert await desk_of(world).read_all("post:") == {"post:1": "P1", "post:2": "P2"}
        assert await desk_of(world, "other").read_all("post:") == {}


async def test_a_claim_expires_on_the_clock_of_the_router(open_world: OpenWorld) -> None:
    async with open_world() as world:
        world.now = utc_now()
        async with world.router():
            desk = desk_of(world)
            assert await desk.claim("poll", "a", for_s=30)
            assert not await desk.claim("poll", "b", for_s=30)
            world.now += timedelta(seconds=31)
            assert await desk.claim("poll", "b", for_s=30)
            assert not await desk.claim("poll", "a", for_s=0)


@pytest.mark.parametrize(
    "kept",
    [
        {"k": "x" * (MAX_NOTE_BYTES + 1)},
        {"": "x"},
        {"k" * 601: "x"},
        {str(n): "x" for n in range(51)},
    ],
)
async def test_what_is_too_much_is_refused_for_good_and_nothing_of_it_is_kept(
    open_world: OpenWorld, kept: dict[str, str]
) -> None:
    async with open_world() as world, world.router():
        with pytest.raises(PermanentError, match="cannot keep notes"):
            await desk_of(world).keep({"good": "x", **kept})
        assert await desk_of(world).read(["good"]) == {}


async def test_more_notes_than_an_answer_holds_come_without_the_oldest(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        desk = desk_of(world)
        for n in range(80):
            await desk.keep({f"n{n:02}": "x" * MAX_NOTE_BYTES})
        found = await desk.read_all("n")
    assert 50 < len(found) < 70
    assert "n79" in found
    assert "n00" not in found


async def test_a_request_that_cannot_be_read_is_answered(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        data = await world.bus.request(notes(NAMESPACE, CHANNEL), b"[]", timeout_s=ANSWER_WITHIN_S)
    assert decode(data, NotesAnswer).error


async def test_what_a_channel_reports_stands_beside_what_others_wrote(
    open_world: OpenWorld,
) -> None:
    available = {"type": "Available", "status": "True", "reason": "Ready", "message": "1 pod"}
    async with open_world() as world, world.router():
        patch = {"status": {"conditions": [available]}}
        await world.kube.patch(CHANNELS, NAMESPACE, CHANNEL, patch, subresource="status")
        await desk_of(world).say(is_connected=False, reason="TokenRevoked", message="make one")
        first = await status_of(world)
        await desk_of(world).say(is_connected=True, reason="Connected")
        second = await status_of(world)
    types = {one["type"]: one for one in first["conditions"]}
    assert types["Connected"]["status"] == "False"
    assert (types["Connected"]["reason"], types["Connected"]["message"]) == (
        "TokenRevoked",
        "make one",
    )
    assert types["Available"]["message"] == "1 pod"
    assert {one["type"]: one["status"] for one in second["conditions"]} == {
        "Available": "True",
        "Connected": "True",
        "Ready": "True",
    }


async def test_a_channel_that_its_platform_refuses_is_not_ready_in_the_same_write(
    open_world: OpenWorld,
) -> None:
    available = {"type": "Available", "status": "True", "reason": "R", "observedGeneration": 3}
    async with open_world() as world, world.router():
        patch = {"status": {"conditions": [available]}}
        written = await world.kube.patch(CHANNELS, NAMESPACE, CHANNEL, patch, subresource="status")
        await desk_of(world).say(is_connected=False, reason="TokenRevoked", message="make one")
        since = written["metadata"]["resourceVersion"]
        async for event in world.kube.watch(CHANNELS, NAMESPACE, since=since):
            if event.type == "MODIFIED":
                break
    types = {one["type"]: one for one in event.object["status"]["conditions"]}
    assert set(types) == {"Available", "Connected", "Ready"}
    ready = types["Ready"]
    assert (ready["status"], ready["reason"], ready["message"]) == (
        "False",
        "TokenRevoked",
        "make one",
    )
    assert ready["observedGeneration"] == 3


async def test_a_report_that_says_nothing_new_writes_nothing(open_world: OpenWorld) -> None:
    async with open_world() as world:
        world.now = utc_now()
        async with world.router():
            await desk_of(world).say(is_connected=True, reason="Connected")
            before = await world.kube.get(CHANNELS, NAMESPACE, CHANNEL)
            world.now += timedelta(minutes=1)
            await desk_of(world).say(is_connected=True, reason="Connected")
            after = await world.kube.get(CHANNELS, NAMESPACE, CHANNEL)
            await desk_of(world).say(is_connected=True, reason="Reconnected")
            (condition,) = (await status_of(world))["conditions"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    (known,) = before["status"]["conditions"]
    assert condition["lastTransitionTime"] == known["lastTransitionTime"]


async def test_reports_and_other_writers_lose_nothing_to_each_other(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        async with asyncio.TaskGroup() as group:
            for n in range(4):
                group.create_task(desk_of(world).say(is_connected=True, reason=f"Try{n}"))
                patch = {"status": {"observedGeneration": n}}
                group.create_task(
                    world.kube.patch(CHANNELS, NAMESPACE, CHANNEL, patch, subresource="status")
                )
        status = await status_of(world)
    assert [one["type"] for one in status["conditions"]] == ["Connected"]
    assert "observedGeneration" in status


async def test_a_report_of_a_channel_that_is_gone_is_refused(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        with pytest.raises(PermanentError):
            await desk_of(world, "nobody").say(is_connected=True, reason="Connected")
        with pytest.raises(PermanentError, match="CamelCase"):
            await desk_of(world).say(is_connected=True, reason="not a word")


async def test_a_report_can_be_made_again_when_the_api_server_is_back(
    open_world: OpenWorld,
) -> None:
    async with open_world() as world, world.router():
        await world.api.stop()
        with pytest.raises(TransientError):
            await desk_of(world).say(is_connected=True, reason="Connected")
        await world.api.start()
        await desk_of(world).say(is_connected=True, reason="Connected")
        assert (await status_of(world))["conditions"][0]["status"] == "True"


async def put_file(bus: NatsBus, owner: str, data: bytes, file_id: str = "f") -> None:
    subject = file_part(NAMESPACE, owner, file_id, 0)
    await bus.publish(subject, data, message_id=f"{owner}/{file_id}/0")


async def test_files_are_handed_to_their_channel_and_its_runs_and_to_nobody_else(
    open_world: OpenWorld, bus: NatsBus
) -> None:
    async with open_world() as world:
        await world.kube.create(CHANNELS, channel("other"))
        async with world.router():
            mine = (await world.started(await world.say("1")))["metadata"]["uid"]
            said = await world.say("1", channel="other")
            other = (await world.started(said, "other"))["metadata"]["uid"]
            for owner in (CHANNEL, "other", mine, other):
                await put_file(bus, owner, f"of {owner}".encode())
            for asker, owner in [
                (CHANNEL, CHANNEL),
                (CHANNEL, mine),
                (mine, mine),
                (mine, CHANNEL),
            ]:
                assert await fetched(world, asker, owner) == f"of {owner}"
            for asker, owner in [
                (CHANNEL, "other"),
                (CHANNEL, other),
                (mine, other),
                (mine, "other"),
                (CHANNEL, "no-such-run"),
            ]:
                assert "not this reader's" in await fetched(world, asker, owner)


async def test_a_file_outlives_its_run_for_the_channel(open_world: OpenWorld, bus: NatsBus) -> None:
    async with open_world() as world, world.router():
        message_id = await world.say("1")
        run = await world.started(message_id)
        uid = RunUid(run["metadata"]["uid"])
        await put_file(bus, uid, b"report")
        await world.kube.delete(AGENT_RUNS, NAMESPACE, run["metadata"]["name"])
        await world.shown.end_of(message_id)
        assert await fetched(world, CHANNEL, uid) == "report"


async def test_a_part_that_is_not_there_is_gone(open_world: OpenWorld) -> None:
    async with open_world() as world, world.router():
        assert "it is gone" in await fetched(world, CHANNEL, CHANNEL)
        assert "no such part" in await fetched(world, CHANNEL, CHANNEL, part=10_000)
        assert "no such part" in await fetched(world, CHANNEL, CHANNEL, file_id="a.b")


async def test_notes_come_back_when_the_bus_does(
    open_world: OpenWorld, nats_server: NatsServer
) -> None:
    async with open_world() as world, world.router() as health:
        await desk_of(world).keep({"k": "v"})
        nats_server.kill()
        await until(health.missing)
        await nats_server.start()

        async def answers() -> bool:
            try:
                return await desk_of(world).read(["k"]) == {"k": "v"}
            except TransientError:
                return False

        await until(answers)
