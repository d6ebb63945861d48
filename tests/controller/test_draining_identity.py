"""What the bus lets a deleted channel do, and the controller with what that has not shown."""

from datetime import timedelta
from pathlib import Path

import pytest

from sympozium.bus.nats import Address, connect
from sympozium.bus.ports import BusUnavailableError
from sympozium.contract.resources import CHANNELS, DEPLOYMENTS
from sympozium.contract.subjects import DEAD, OUTBOX, dead, outbox, reply_prefix
from sympozium.store.sql import open_store
from sympozium_controller.channels import draining
from sympozium_controller.channels.draining import draining_since
from sympozium_router.desk.waiting import Waiting
from tests.controller.cluster import NAMESPACE
from tests.controller.secured import REFUSED_AFTER_S, Secured, refused
from tests.tenants.namespaces import until

pytestmark = pytest.mark.timeout(120)


async def test_a_deleted_channel_is_admitted_as_long_as_it_drains(secured: Secured) -> None:
    token, kube = await secured.channel(), secured.cluster.kube
    await kube.delete(CHANNELS, NAMESPACE, "web")  # no router is there to say that nobody waits
    await secured.cluster.until(
        DEPLOYMENTS, "channel-web", lambda held: draining_since(held) is not None
    )
    async with secured.connect(token, "channel", NAMESPACE, "web") as bus:
        assert bus.is_connected
    await kube.delete(DEPLOYMENTS, NAMESPACE, "channel-web")

    async def is_kept_out() -> bool:
        address = Address(
            secured.server.url,
            "test",
            reply_prefix("channel", NAMESPACE, "web"),
            token=lambda: token,
        )
        try:
            async with connect(address, patience_s=REFUSED_AFTER_S):
                return False
        except BusUnavailableError:
            return True

    await until(is_kept_out, within_s=60)


async def test_what_a_deleted_channel_has_not_shown_the_controller_keeps_by_its_own_grants(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "PATIENCE", timedelta(0))
    token = await secured.channel()
    async with (
        secured.connect(await secured.router(), "router") as bus,
        open_store(f"sqlite:///{tmp_path}/sessions.db") as store,
        Waiting(bus, bus, store).responding(),
    ):
        await bus.publish(outbox(NAMESPACE, "web"), b"the end", message_id="1")
        await secured.cluster.kube.delete(CHANNELS, NAMESPACE, "web")

        async def is_kept() -> bool:
            return await bus.last(DEAD, dead(OUTBOX, NAMESPACE, "web")) is not None

        await until(is_kept, within_s=60)
    await refused(secured, token, "channel", NAMESPACE, "web")
