"""The router does all of its work with the rights that the chart gives it, and no others."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sympozium.chat.desk import Desk
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    SERVICE_ACCOUNTS,
)
from sympozium.kube.client import Kube, connect, object_path
from sympozium.kube.errors import ForbiddenError
from sympozium_controller.furniture import rights
from tests.router.routed import CHANNEL, NAMESPACE, World
from tests.router.test_admission import EVE
from tests.router.test_modes import end_cancelled

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]
RBAC = Path(__file__).parents[2] / "helm/sympozium/rbac"
KINDS = {kind.kind: kind for kind in (SERVICE_ACCOUNTS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)}


@asynccontextmanager
async def with_its_rights(world: World, tmp_path: Path) -> AsyncIterator[Kube]:
    """Yield a client that may do what the router may."""
    for name in ("router", "tenants"):
        for obj in yaml.safe_load_all((RBAC / f"{name}.yaml").read_text()):
            await world.kube.create(KINDS[obj["kind"]], obj)
    for binding in rights(NAMESPACE, "sympozium-system"):
        await world.kube.create(ROLE_BINDINGS, binding)
    path = object_path(SERVICE_ACCOUNTS, "sympozium-system", "sympozium-router", "token")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = await world.kube.request("POST", path, body=request)
    token = tmp_path / "token"
    token.write_text(answer["status"]["token"])
    async with connect(replace(world.api.endpoint, token_file=token)) as kube:
        yield kube


async def test_it_starts_changes_and_ends_runs_and_writes_how_channels_stand(
    open_world: OpenWorld, tmp_path: Path
) -> None:
    async with open_world() as world, with_its_rights(world, tmp_path) as kube:
        await world.set_channel(access={"users": ["ada"]})
        admin, world.kube = world.kube, kube
        async with world.router():
            world.kube = admin
            first, second = await world.say("1"), await world.say("2")
            runs = [await world.run_of(first), await world.run_of(second)]
            await world.shown.accepted(second)
            await world.edit("e", second, "better")
            await world.shown.end_of(await world.command("s", "stop"))
            for run in runs:
                await end_cancelled(world, run)
            await world.shown.end_of(second)
            edited = await world.run_of(second)
            await Desk(world.bus, NAMESPACE, CHANNEL).say(is_connected=True, reason="Connected")
            await world.shown.end_of(await world.say("3", sender=EVE))
            channel = await admin.get(CHANNELS, NAMESPACE, CHANNEL)
    assert edited["spec"]["task"] == "better"
    assert [one["type"] for one in channel["status"]["conditions"]] == ["Connected"]
    assert [one["userId"] for one in channel["status"]["pairings"]] == ["eve"]


async def test_it_can_delete_nothing_and_change_no_agent_and_no_channel(
    open_world: OpenWorld, tmp_path: Path
) -> None:
    async with open_world() as world, with_its_rights(world, tmp_path) as kube:
        for kind, name in ((AGENTS, "helper"), (CHANNELS, CHANNEL), (AGENT_RUNS, "any")):
            with pytest.raises(ForbiddenError):
                await kube.delete(kind, NAMESPACE, name)
        for kind, name in ((AGENTS, "helper"), (CHANNELS, CHANNEL)):
            with pytest.raises(ForbiddenError):
                await kube.patch(kind, NAMESPACE, name, {"metadata": {"labels": {"a": "b"}}})
