"""What is tried in the name of a run that is over; by the numbers of FAULTS.

Whoever tries it took the tokens of the run's pod away while that was there, and is in a pod of
another tenant.
"""

import asyncio
import json
from datetime import UTC, datetime

import aiohttp
import pytest

from sympozium.bus.ports import Bus, Stored
from sympozium.contract.names import RunUid
from sympozium.contract.run_events import Result, record, recorded_event, recorded_id
from sympozium.contract.subjects import RUNS, RUNS_CONSUMER, run_out
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import System
from tests.kube.attacked import (
    OURS,
    READER,
    WEB_PORT,
    WORKER,
    chat_token,
    subscribed,
    web_chat_url,
)
from tests.kube.cluster import Clients
from tests.kube.holding import CLOSED, holding
from tests.kube.inside import API_TOKEN, Attempt, LiveRun, Pod, at_work, start, wait_until
from tests.scenario.test_tenants import bus_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("slow_model")]

SAY = "import sys; open('/ipc/out.jsonl', 'ab', buffering=0).write(sys.argv[1].encode() + b'\\n')"
"""What an agent does to say something: it appends a line to its journal."""


def is_gone(live: LiveRun) -> bool:
    """Return whether the pod of a run is there no more."""
    found = live.clients.run_kubectl("-n", live.namespace, "get", "pod", live.pod)
    return "not found" in found.stderr


def test_5_a_token_is_worth_nothing_once_its_run_has_ended(
    tenants: Clients, foreign: LiveRun, bus_address: tuple[str, str]
) -> None:
    ended = start(tenants, OURS, "ended-1", "plain")
    token = ended.bus_token()
    assert "PONG" in foreign.on_bus("agent", bus_address, token)["said"]
    ended.end()

    def is_refused() -> bool:
        return "PONG" not in foreign.on_bus("agent", bus_address, token)["said"]

    wait_until(is_refused, timeout_s=20)
    wait_until(lambda: is_gone(ended))
    said = foreign.on_bus("agent", bus_address, token)["said"]
    assert any("Authorization Violation" in line for line in said), said


def test_5_a_skills_token_is_worth_nothing_once_its_pod_is_gone(
    tenants: Clients, stranger: Pod
) -> None:
    ended = start(tenants, OURS, "ended-2", "reader")
    token = ended.token(READER, API_TOKEN)
    listing = Attempt("GET", f"/api/v1/namespaces/{OURS}/pods")
    (before,) = stranger.ask(WORKER, token, listing)
    assert before.code == 200, before
    ended.end()
    wait_until(lambda: is_gone(ended))
    wait_until(lambda: stranger.ask(WORKER, token, listing)[0].code == 401)


def test_5_a_connection_that_is_held_open_is_closed_once_its_run_has_ended(
    tenants: Clients, foreign: LiveRun, bus_address: tuple[str, str]
) -> None:
    ended = start(tenants, OURS, "ended-3", "plain")
    with holding(foreign, "agent", bus_address, ended.bus_token()) as held:
        held.until("PONG")
        held.send(subscribed(f"runs.{OURS}.{ended.uid}.in"), "PING\r\n")
        held.until("PONG")
        ended.end()
        held.until(CLOSED)


async def test_6_what_is_said_for_a_run_after_its_end_changes_nothing(
    tenants: Clients,
    system: System,
    kube: Kube,
    http: aiohttp.ClientSession,
    web_chat: Pod,
    foreign: LiveRun,
    bus_address: tuple[str, str],
) -> None:
    headers = {"Host": f"127.0.0.1:{WEB_PORT}", "Authorization": f"Bearer {chat_token(OURS)}"}
    person = Person(http, web_chat_url(tenants, OURS), headers)
    message_id = await person.say("late", "take your time")
    live = at_work(tenants, OURS, await run_name(tenants, message_id))
    inbox = f"_INBOX.run.{OURS}.{live.uid}.x"
    async with bus_of(system, kube) as bus:
        with holding(foreign, "agent", bus_address, live.bus_token()) as held:
            held.until("PONG")
            held.send(subscribed(inbox))
            live.raw("agent", SAY, json.dumps({"type": "result", "text": "the answer"}))
            answer = await its_answer(bus, live)
            await asyncio.to_thread(wait_until, lambda: "finishedAt" in live.status())
            late = [held.stored(*message, inbox) for message in said_late(live, answer)]
        for confirmed in late:  # what the bus took before it closed the connection
            await settled(bus, int(str(confirmed.get("seq", 0))))
    end = await person.end_of("late", message_id)
    assert end["text"] == "the answer"
    assert live.status()["result"] == "the answer"
    assert len(replies_to(await person.transcript("late"), message_id)) == 1


async def run_name(clients: Clients, message_id: str) -> str:
    """Return the name of the run that answers a message, once there is one."""
    async with asyncio.timeout(60):
        while True:
            for run in clients.get("-n", OURS, "agentruns")["items"]:
                if run["spec"].get("source", {}).get("messageId") == message_id:
                    return str(run["metadata"]["name"])
            await asyncio.sleep(0.2)


async def its_answer(bus: Bus, live: LiveRun) -> Stored:
    """Return the result of a run as its bridge recorded it, once it has."""
    subject = run_out(OURS, RunUid(live.uid))
    async with asyncio.timeout(60):
        while True:
            stored = await bus.last(RUNS, subject)
            if stored is not None and isinstance(recorded_event(stored.data), Result):
                return stored
            await asyncio.sleep(0.1)


def said_late(live: LiveRun, answer: Stored) -> list[tuple[str, bytes, str]]:
    """Return what is said for a run after its end: another answer, and its own one again."""
    own_id = json.loads(answer.data)["id"]
    other_id = recorded_id(RunUid(live.uid), "another-pod", "1")
    forged = record(Result(text="forged"), id=other_id, time=datetime.now(UTC))
    return [
        (answer.subject, forged, other_id),
        (answer.subject, answer.data, f"{own_id}-again"),
        (answer.subject, answer.data, own_id),
    ]


async def settled(bus: Bus, sequence: int) -> None:
    """Return when the controller is done with everything up to a place of RUNS."""
    async with asyncio.timeout(60):
        while (await bus.state(RUNS_CONSUMER)).acknowledged < sequence:  # noqa: ASYNC110 - remote
            await asyncio.sleep(0.1)
