"""A backup of store and bus, made and restored by the commands of the page on operations."""

import asyncio
import json
from pathlib import Path

import pytest

from sympozium.contract.resources import AGENT_RUNS
from sympozium.contract.subjects import INBOX
from sympozium.kube.client import Kube
from tests.fixtures.chat import Person, replies_to
from tests.fixtures.system import ScriptedModel
from tests.kube.cluster import Clients
from tests.kube.page import blocks, run
from tests.kube.release import SYSTEM_NAMESPACE, TENANT, Release

pytestmark = pytest.mark.timeout(900)


async def test_what_is_restored_is_as_it_was_and_nobody_is_answered_twice(
    release: Release,
    kube_clients: Clients,
    kube: Kube,
    person: Person,
    model: ScriptedModel,
    tmp_path: Path,
) -> None:
    del release
    store_out, store_in = blocks("The store")
    volume_of, bus_out, bus_in = blocks("The bus")
    await model.script()
    before = await person.say("backup-a", "hello before")
    told = await person.end_of("backup-a", before)
    await asyncio.to_thread(run, kube_clients, tmp_path, store_out, volume_of, bus_out)
    stored = last_of_inbox(kube_clients)
    after = await person.say("backup-b", "hello after")
    await person.end_of("backup-b", after)
    await asyncio.to_thread(run, kube_clients, tmp_path, store_in, volume_of, bus_in)
    assert last_of_inbox(kube_clients) == stored, "the bus is not the one of the backup"
    last = await person.say("backup-b", "hello again")
    assert (await person.end_of("backup-b", last))["error"] is None
    assert replies_to(await person.transcript("backup-a"), before) == [told]
    # It came after the backup: it is not in the history any more, and is not done again.
    assert replies_to(await person.transcript("backup-b"), after) == []
    assert await runs_of(kube, before, after, last) == [1, 1, 1]


async def runs_of(kube: Kube, *messages: str) -> list[int]:
    """Return how many runs each of these messages has."""
    runs = (await kube.list(AGENT_RUNS, TENANT)).items
    asked = [run["spec"].get("source", {}).get("messageId") for run in runs]
    return [asked.count(one) for one in messages]


def last_of_inbox(clients: Clients) -> int:
    """Return the sequence of the newest message that the bus holds."""
    pod = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/sympozium-nats-0:8222"
    said = json.loads(clients.kubectl("get", "--raw", f"{pod}/proxy/jsz?streams=true"))
    streams = [one for account in said["account_details"] for one in account["stream_detail"]]
    (newest,) = [one["state"]["last_seq"] for one in streams if one["name"] == INBOX]
    return int(newest)
