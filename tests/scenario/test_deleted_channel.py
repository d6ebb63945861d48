"""A Channel that is deleted while an agent works on a message of it: through every part."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from sympozium.contract.resources import CHANNELS, DEPLOYMENTS, SECRETS, SERVICES, Object
from sympozium.kube.client import Kube
from sympozium.kube.errors import NotFoundError
from tests.fixtures.chat import Person
from tests.fixtures.nats_server import free_port
from tests.fixtures.system import ScriptedModel
from tests.scenario.test_at_work import ENDS, until

NAME, TOKEN = "leaving", "the-token-of-the-one-that-leaves"
PATIENCE_S = 60.0

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Leaving:
    """A second web channel, and somebody who talks by it."""

    channel: Object
    person: Person


async def has_program(kube: Kube) -> bool:
    """Return whether the channel's program is wanted, and runs if it is."""
    try:
        found = await kube.get(DEPLOYMENTS, "default", f"channel-{NAME}")
    except NotFoundError:
        return False
    return bool((found.get("status") or {}).get("availableReplicas"))


async def until_program(kube: Kube, *, is_there: bool) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await has_program(kube) is not is_there:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.1)


@pytest.fixture
async def leaving(kube: Kube, http: aiohttp.ClientSession) -> AsyncIterator[Leaving]:
    """A channel of its own, which the test deletes."""
    port = free_port()
    secret = {"metadata": {"name": NAME, "namespace": "default"}, "stringData": {"token": TOKEN}}
    await kube.create(SECRETS, secret)
    first = await kube.get(CHANNELS, "default", "web")
    spec = {**first["spec"], "web": {"port": port, "tokenSecretRef": NAME}}
    channel: Object = {
        "apiVersion": CHANNELS.api_version,
        "kind": CHANNELS.kind,
        "metadata": {"name": NAME, "namespace": "default"},
        "spec": spec,
    }
    await kube.create(CHANNELS, channel)
    await until_program(kube, is_there=True)
    service = await kube.get(SERVICES, "default", f"sympozium-channel-{NAME}")
    address = service["spec"].get("clusterIP") or "127.0.0.1"
    headers = {"Host": f"127.0.0.1:{port}", "Authorization": f"Bearer {TOKEN}"}
    yield Leaving(channel, Person(http, f"http://{address}:{port}", headers))
    await kube.delete(SECRETS, "default", NAME)


async def test_who_waits_is_shown_the_answer_and_then_the_program_goes(
    leaving: Leaving, kube: Kube, model: ScriptedModel
) -> None:
    await model.script({"match": "count", "answer": "one two three four five", "delay_s": 1.0})
    async with leaving.person.events("last-words") as events:
        asked = await leaving.person.say("last-words", "count, please")
        await until(events, "delta")
        await kube.delete(CHANNELS, "default", NAME)
        refused = await leaving.person.ask("too-late", "and you?")
        final = await until(events, *ENDS)
    assert (final.type, final.data["message_id"]) == ("final", asked)
    assert final.data["text"] == "one two three four five"
    assert f"channel {NAME} or its agent" in str(refused)
    await until_program(kube, is_there=False)


async def test_a_channel_that_is_made_anew_meanwhile_answers_at_once(
    leaving: Leaving, kube: Kube, model: ScriptedModel
) -> None:
    await model.script({"match": "count", "answer": "one two three", "delay_s": 1.0})
    async with leaving.person.events("before") as events:
        await leaving.person.say("before", "count, please")
        await until(events, "delta")
        await kube.delete(CHANNELS, "default", NAME)
        await kube.create(CHANNELS, leaving.channel)
        final = await until(events, *ENDS)
    assert final.data["text"] == "one two three"
    await model.script({"match": "again", "answer": "here I am"})
    assert (await leaving.person.ask("after", "again?"))["text"] == "here I am"
    await kube.delete(CHANNELS, "default", NAME)
    await until_program(kube, is_there=False)
