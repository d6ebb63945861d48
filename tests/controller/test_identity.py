"""Who gets in, with which rights: a real server, real tokens, and the attacks on both."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import nats.errors
import pytest

import sympozium.bus.nats
from sympozium.bus.nats import PUBLISH_TIMEOUT_S, Address, NatsBus, connect
from sympozium.bus.ports import BusDeniedError, BusUnavailableError, Stored
from sympozium.contract.names import RunUid
from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.run_events import Result
from sympozium.contract.subjects import (
    FILES,
    INBOX,
    OUTBOX,
    RUNS,
    context,
    dead,
    fetch,
    file_part,
    history,
    inbox,
    inbox_consumer,
    live,
    notes,
    outbox,
    outbox_consumer,
    reply_prefix,
    report,
    run_in,
    run_out,
)
from sympozium_local.cli.checks.refusals import refusal_checks
from tests.controller.cluster import NAMESPACE, Cluster, say
from tests.controller.secured import PATIENCE_S, Secured, refused, secured_bus, seen_by_server
from tests.fixtures.remembered import remembered


async def denied(attempt: Awaitable[object]) -> bool:
    """Return whether the bus refused: it never confirms what it does not allow."""
    try:
        await attempt
    except (BusDeniedError, BusUnavailableError):
        return True
    return False


async def violations(bus: NatsBus, act: Callable[[], Awaitable[object]]) -> list[str]:
    """Return what the server said about *act* before it answered a ping."""
    seen: list[str] = []
    handler = bus.client._error_cb

    async def note(error: Exception) -> None:
        seen.append(str(error).lower())
        await handler(error)

    bus.client._error_cb = note
    await act()
    await seen_by_server(bus)
    bus.client._error_cb = handler
    return [text for text in seen if "permissions violation" in text]


async def test_of_many_refused_subjects_those_of_late_are_remembered(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sympozium.bus.nats, "MAX_DENIALS", 2)
    run, token = await secured.run("first")
    async with secured.connect(token, "run", NAMESPACE, run["metadata"]["uid"]) as bus:
        for number in range(3):
            forbidden = run_out(NAMESPACE, RunUid(f"other-{number}"))
            await violations(bus, partial(bus.client.publish, forbidden, b"x"))
        with pytest.raises(BusDeniedError):
            await bus.publish(forbidden, b"x", message_id="x")
        assert len(remembered(bus)) == 2


async def test_a_run_says_what_it_did_and_nobody_else_can_say_it(secured: Secured) -> None:
    first, first_token = await secured.run("first")
    second, _ = await secured.run("second")
    uid, other = (RunUid(run["metadata"]["uid"]) for run in (first, second))
    forged = b'{"type":"result","text":"x"}'
    me = (first_token, "run", NAMESPACE, uid)
    async with secured.connect(*me, confirm_within_s=PUBLISH_TIMEOUT_S) as bus:
        assert await denied(bus.publish(run_out(NAMESPACE, other), forged, message_id="f"))
    async with secured.connect(*me) as bus:
        await say(bus, first, Result(text="mine"))
    assert (await secured.cluster.ended("first"))["result"] == "mine"
    log = (secured.server.directory / "nats.log").read_text()
    (told,) = refusal_checks(log.splitlines(), "bus")
    assert told.about.startswith(f"refused: run {NAMESPACE}/{uid} in pod first-pod/")
    assert repr(run_out(NAMESPACE, other)) in told.text
    untouched = await secured.cluster.kube.get(AGENT_RUNS, NAMESPACE, "second")
    assert untouched["status"] == {"phase": "Pending"}


async def test_a_run_cannot_use_what_belongs_to_others(secured: Secured) -> None:
    run, token = await secured.run("first")
    uid = RunUid(run["metadata"]["uid"])
    async with secured.connect(token, "run", NAMESPACE, uid) as bus:
        for subject in (
            outbox(NAMESPACE, "web"),
            inbox(NAMESPACE, "web"),
            "$JS.API.STREAM.PURGE.RUNS",
            "$JS.API.STREAM.DELETE.INBOX",
            "$JS.API.CONSUMER.MSG.NEXT.RUNS.controller",
            "$JS.API.DIRECT.GET.RUNS",
            live(NAMESPACE, RunUid("another")),
            context(NAMESPACE, RunUid("another")),
            fetch(NAMESPACE, "another"),
            fetch(NAMESPACE, "web"),
            file_part(NAMESPACE, "another", "f", 0),
            file_part(NAMESPACE, "web", "f", 0),
            notes(NAMESPACE, "web"),
            report(NAMESPACE, "web"),
            "$JS.API.DIRECT.GET.FILES",
            "$JS.API.DIRECT.GET.FILES.files.>",
            run_in(NAMESPACE, uid),
            "_INBOX.router.x",
            "$SYS.REQ.USER.AUTH",
            "$SYS.REQ.ACCOUNT.PING.CONNZ",
            "$SYS.REQ.SERVER.x.KICK",
        ):
            assert await violations(bus, partial(bus.client.publish, subject, b"")), subject
        for subject in (">", "_INBOX.>", "runs.>", "$JS.ACK.>", "_INBOX.run.>", "$SYS.>"):
            assert await violations(bus, partial(bus.client.subscribe, subject)), subject


async def test_who_may_not_read_a_line_is_told_so_and_not_that_the_bus_is_away(
    secured: Secured,
) -> None:
    run, token = await secured.run("first")
    me = (token, "run", NAMESPACE, run["metadata"]["uid"])
    async with secured.connect(*me, confirm_within_s=PUBLISH_TIMEOUT_S) as bus:
        with pytest.raises(BusDeniedError):
            await bus.state(inbox_consumer(NAMESPACE))
        with pytest.raises(BusDeniedError):
            await bus.consumers(INBOX)


async def test_a_run_uses_everything_that_is_its_own(secured: Secured) -> None:
    run, token = await secured.run("first")
    uid = RunUid(run["metadata"]["uid"])
    router_token = await secured.router()
    async with (
        secured.connect(router_token, "router") as router,
        secured.connect(token, "run", NAMESPACE, uid) as bus,
        bus.listen(run_in(NAMESPACE, uid)) as told,
    ):

        async def answer(_: str, data: bytes) -> bytes:
            return b"for " + data

        async with router.respond("context.*.*", answer, group="router"):
            await seen_by_server(router)
            assert await bus.request(context(NAMESPACE, uid), b"me", timeout_s=10) == b"for me"
        await seen_by_server(bus)
        await router.publish(run_in(NAMESPACE, uid), b"steer", message_id="1")
        assert (await anext(told))[1] == b"steer"
        assert await violations(bus, lambda: bus.send(live(NAMESPACE, uid), b"token")) == []


async def test_a_channel_hands_in_reads_its_own_outbox_and_asks_for_its_history(
    secured: Secured,
) -> None:
    token, router_token = await secured.channel(), await secured.router()
    async with (
        secured.connect(router_token, "router") as router,
        secured.connect(token, "channel", NAMESPACE, "web") as channel,
    ):
        await channel.publish(inbox(NAMESPACE, "web"), b"in", message_id="1")
        line = inbox_consumer(NAMESPACE)
        async with router.consume(line) as deliveries:
            delivery = await anext(deliveries)
            assert delivery.data == b"in"
            await delivery.ack()
        assert line.name in await router.consumers(INBOX)
        stored = await router.publish(outbox(NAMESPACE, "web"), b"out", message_id="2")
        assert await router.at(OUTBOX, stored.sequence) == Stored(
            outbox(NAMESPACE, "web"), stored.sequence, b"out"
        )
        async with channel.consume(outbox_consumer(NAMESPACE, "web")) as deliveries:
            delivery = await anext(deliveries)
            assert delivery.data == b"out"
            await delivery.discard(reason="no such thread")

        async def answer(_: str, data: bytes) -> bytes:
            return data + b"!"

        async with router.respond("history.*.*", answer, group="router"):
            await seen_by_server(router)
            asked = await channel.request(history(NAMESPACE, "web"), b"all", timeout_s=10)
        assert asked == b"all!"


async def test_a_channel_keeps_notes_reports_and_fetches_at_the_routers_desk(
    secured: Secured,
) -> None:
    token, router_token = await secured.channel(), await secured.router()
    async with (
        secured.connect(router_token, "router") as router,
        secured.connect(token, "channel", NAMESPACE, "web") as channel,
    ):

        async def answer(subject: str, data: bytes) -> bytes:
            return f"{subject} {data.decode()}".encode()

        for subject in (notes, report, fetch):
            asked = subject(NAMESPACE, "web")
            async with router.respond(f"{asked.split('.')[0]}.*.*", answer, group="router"):
                await seen_by_server(router)
                heard = await channel.request(asked, b"me", timeout_s=10)
            assert heard == f"{asked} me".encode()


async def test_files_are_put_by_their_owner_and_read_by_the_router_alone(
    secured: Secured,
) -> None:
    run, token = await secured.run("first")
    uid = RunUid(run["metadata"]["uid"])
    channel_token, router_token = await secured.channel(), await secured.router()
    async with (
        secured.connect(router_token, "router") as router,
        secured.connect(channel_token, "channel", NAMESPACE, "web") as channel,
        secured.connect(token, "run", NAMESPACE, uid) as bridge,
    ):
        for owner, bus in (("web", channel), (uid, bridge)):
            part = file_part(NAMESPACE, owner, "f", 0)
            await bus.publish(part, owner.encode(), message_id=f"{owner}/f/0")
            stored = await router.last(FILES, part)
            assert stored is not None
            assert stored.data == owner.encode()

        async def answer(_: str, data: bytes) -> bytes:
            return b"part of " + data

        async with router.respond("fetch.*.*", answer, group="router"):
            await seen_by_server(router)
            heard = await bridge.request(fetch(NAMESPACE, uid), b"f", timeout_s=10)
        assert heard == b"part of f"


async def test_a_channel_sets_aside_an_event_that_it_cannot_read(secured: Secured) -> None:
    token = await secured.channel()
    async with secured.connect(token, "channel", NAMESPACE, "web") as channel:
        letter = dead(INBOX, NAMESPACE, "web")
        stored = await channel.publish(letter, b"{}", message_id="event-1")
        again = await channel.publish(letter, b"{}", message_id="event-1")
    assert (stored.duplicate, again.duplicate) == (False, True)


async def test_a_channel_reaches_no_other_channel(secured: Secured) -> None:
    token = await secured.channel("web")
    await secured.channel("other")
    async with secured.connect(token, "channel", NAMESPACE, "web") as bus:
        for subject in (
            inbox(NAMESPACE, "other"),
            outbox(NAMESPACE, "web"),
            history(NAMESPACE, "other"),
            notes(NAMESPACE, "other"),
            report(NAMESPACE, "other"),
            fetch(NAMESPACE, "other"),
            file_part(NAMESPACE, "other", "f", 0),
            dead(INBOX, NAMESPACE, "other"),
            "$JS.API.DIRECT.GET.FILES",
            f"$JS.API.DIRECT.GET.FILES.{file_part(NAMESPACE, 'web', 'f', 0)}",
            "$JS.API.CONSUMER.MSG.NEXT.OUTBOX.channel_default_other",
            "$JS.ACK.OUTBOX.channel_default_other.1.1.1.1.0",
            "$JS.API.DIRECT.GET.OUTBOX.outbox.default.other",
        ):
            assert await violations(bus, partial(bus.client.publish, subject, b"")), subject
        for subject in (outbox(NAMESPACE, "web"), "live.>", "_INBOX.channel.default.other.>"):
            assert await violations(bus, partial(bus.client.subscribe, subject)), subject


async def test_nobody_is_made_to_say_what_a_run_may_not_say(secured: Secured) -> None:
    run, token = await secured.run("first")
    uid = RunUid(run["metadata"]["uid"])
    async with (
        secured.connect(await secured.router(), "router") as router,
        secured.connect(token, "run", NAMESPACE, uid) as bus,
    ):

        async def answer(_: str, data: bytes) -> bytes:
            return data

        async with router.respond("context.*.*", answer, group="router"):
            await seen_by_server(router)
            question = context(NAMESPACE, uid)
            await bus.client.publish(question, b"forged", reply=outbox(NAMESPACE, "web"))
            assert await bus.request(question, b"own", timeout_s=10) == b"own"
        assert await router.last(OUTBOX, outbox(NAMESPACE, "web")) is None


async def test_the_acknowledgement_of_a_runs_message_is_no_order_to_the_bus(
    secured: Secured,
) -> None:
    run, token = await secured.run("first")
    uid = RunUid(run["metadata"]["uid"])
    async with (
        secured.connect(await secured.router(), "router") as router,
        secured.connect(token, "run", NAMESPACE, uid) as bus,
    ):
        stored = await bus.publish(run_out(NAMESPACE, uid), b'{"type":"started"}', message_id="1")
        for order in ("$JS.API.STREAM.PURGE.RUNS", "$JS.API.STREAM.DELETE.RUNS"):
            await bus.client.publish(run_out(NAMESPACE, uid), b"{}", reply=order)
        await bus.publish(run_out(NAMESPACE, uid), b'{"type":"started"}', message_id="2")
        assert await router.at(RUNS, stored.sequence) is not None


@pytest.mark.parametrize("identity", [("router",), ("run", NAMESPACE, "u")])
async def test_nobody_gets_in_without_a_token(secured: Secured, identity: tuple[str, ...]) -> None:
    await refused(secured, "", *identity)


async def test_a_token_for_the_api_server_is_none_for_the_bus(secured: Secured) -> None:
    await secured.run("first")
    token = await secured.cluster.token("sympozium-run")
    await refused(secured, token, "run", NAMESPACE, "u")


async def test_a_runs_account_without_its_pod_is_nobody(secured: Secured) -> None:
    await secured.run("first")
    token = await secured.cluster.token("sympozium-run", audience="nats")
    await refused(secured, token, "run", NAMESPACE, "u")


async def test_any_other_account_is_nobody(secured: Secured) -> None:
    token = await secured.cluster.token("default", audience="nats")
    await refused(secured, token, "router")


async def test_the_routers_account_in_another_namespace_is_nobody(secured: Secured) -> None:
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "sympozium-router", "namespace": NAMESPACE},
    }
    await secured.cluster.kube.request(
        "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", body=account
    )
    token = await secured.cluster.token("sympozium-router", audience="nats")
    await refused(secured, token, "router")


async def test_a_runs_credential_is_worth_nothing_once_the_run_has_ended(
    secured: Secured,
) -> None:
    run, token = await secured.run("first")
    uid = RunUid(run["metadata"]["uid"])
    async with secured.connect(token, "run", NAMESPACE, uid) as bus:
        await say(bus, run, Result(text="done"))
    await secured.cluster.ended("first")
    await refused(secured, token, "run", NAMESPACE, uid)


async def test_the_controllers_own_password_is_asked_for(secured: Secured) -> None:
    address = Address(
        secured.server.url, "x", reply_prefix("controller"), user="controller", password="guess"
    )
    with pytest.raises(BusUnavailableError):
        async with connect(address, patience_s=1.0):
            pass


async def test_a_restarted_bus_admits_everybody_again(secured: Secured) -> None:
    token = await secured.router()
    async with secured.connect(token, "router") as bus:
        secured.server.kill()
        await secured.server.start()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await bus.publish(outbox(NAMESPACE, "web"), b"x", message_id="1")
                    break
                except (BusUnavailableError, nats.errors.Error):
                    await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_without_a_controller_who_is_connected_stays_and_who_comes_is_admitted_later(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with secured_bus(cluster, tmp_path) as secured, AsyncExitStack() as stack:
        async with secured.controller():
            await cluster.create_agent()
            await secured.admits()
            run, token = await secured.run("first")
            uid, router_token = RunUid(run["metadata"]["uid"]), await secured.router()
            bus = await stack.enter_async_context(secured.connect(token, "run", NAMESPACE, uid))

        await refused(secured, router_token, "router")
        await bus.publish(run_out(NAMESPACE, uid), b"{}", message_id="1")

        async def come() -> None:
            async with secured.connect(router_token, "router") as router:
                assert await router.last(RUNS, run_out(NAMESPACE, uid)) is not None

        async with asyncio.TaskGroup() as group:
            coming = group.create_task(come())
            async with secured.controller():
                await coming
        assert bus.client.stats["reconnects"] == 0
