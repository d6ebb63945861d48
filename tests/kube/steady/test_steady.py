"""Under steady talk every part of an installation and of its cluster is taken away once.

    STEADY_SECONDS=300 STEADY_API_DOWN=30 make test-kube KUBE_TESTS=tests/kube/steady

is 5 messages a second for 5 minutes; without the variables it is a short form. A small node
starts fewer pods a second than that, so what is said in a conversation while it has a run is
answered together (STEADY_MODE=queue: each by a run of its own).

The table that it prints is the one of docs/reliability.md.
"""

import asyncio
import base64
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sympozium.kube.client import Kube
from tests.fault.ledger import check
from tests.fault.observer import Observer, observing_bus
from tests.fixtures.chat import Person
from tests.fixtures.system import ScriptedModel
from tests.kube.first_install import changed_images
from tests.kube.release import SYSTEM_NAMESPACE
from tests.kube.steady.blows import Place, blows
from tests.kube.steady.table import Struck, table
from tests.kube.steady.talk import Talk
from tests.kube.system import RealSystem
from tests.scenario.test_endings import channel

RATE = float(os.environ.get("STEADY_RATE", "5"))
MODE = os.environ.get("STEADY_MODE", "collect")
CONVERSATIONS = int(os.environ.get("STEADY_CONVERSATIONS", "20"))
SECONDS = float(os.environ.get("STEADY_SECONDS", "66"))
API_DOWN_S = float(os.environ.get("STEADY_API_DOWN", "5"))
PATIENCE_S = 1800.0
"""How long the last answers may take: a small cluster runs fewer pods a second than are asked."""

LONGEST_BLOW_S = 180.0


@pytest.mark.timeout(SECONDS + PATIENCE_S + 300)
async def test_whatever_is_taken_away_every_message_has_one_end_in_its_place(
    real_system: RealSystem,
    model_port: int,
    model: ScriptedModel,
    kube: Kube,
    tmp_path: Path,
) -> None:
    cluster, release = real_system.cluster, real_system.release
    changed = await asyncio.to_thread(changed_images, cluster, tmp_path)
    place = Place(cluster, release.clients, release, model_port, changed, API_DOWN_S)
    struck: list[Struck] = []
    async with (
        person_at(real_system) as person,
        channel(person, kube, mode=MODE),
        observing_bus(real_system.bus_url, bus_password(real_system)) as observer,
    ):
        talk = Talk(person, model, observer, RATE, SECONDS, CONVERSATIONS, seed=time.time_ns())
        try:
            async with asyncio.timeout(SECONDS + PATIENCE_S), asyncio.TaskGroup() as group:
                group.create_task(talk.run())
                group.create_task(strike_all(place, talk, struck))
        finally:
            show(table(struck, talk.fates, observer))
        verify(talk, observer)


async def strike_all(place: Place, talk: Talk, struck: list[Struck]) -> None:
    """Have all blows fall, at equal distances over the time in which somebody talks."""
    all_blows = blows()
    for number, blow in enumerate(all_blows, start=1):
        due_s = talk.duration_s * number / (len(all_blows) + 1)
        await asyncio.sleep(max(0.0, due_s - talk.now_s()))
        struck.append(Struck(blow.name, talk.now_s()))
        show(f"{talk.now_s():6.1f} s  {blow.name}")
        async with asyncio.timeout(LONGEST_BLOW_S):
            await asyncio.to_thread(blow.strike, place)


def verify(talk: Talk, observer: Observer) -> None:
    """Look into the ledger."""
    assert [fate for fate in talk.fates if fate.accepted_s is None] == []
    assert check([fate.said for fate in talk.fates], observer) == []


@asynccontextmanager
async def person_at(system: RealSystem) -> AsyncIterator[Person]:
    """Yield somebody at the web channel's Service, who waits 10 s for each answer of it."""
    timeout = aiohttp.ClientTimeout(total=10)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield Person(session, system.url, system.headers)


def bus_password(system: RealSystem) -> str:
    """Return the controller's password."""
    asked = ("-n", SYSTEM_NAMESPACE, "secret", "sympozium-bus")
    return base64.b64decode(system.clients.get(*asked)["data"]["password"]).decode()


def show(text: str) -> None:
    """Print at once, also where pytest captures; and to the file that STEADY_WRITE names."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(text + "\n")
    if path := os.environ.get("STEADY_WRITE"):
        with Path(path).open("a") as file:
            file.write(text + "\n")
