"""The furniture of namespaces that come and go."""

from sympozium.contract.resources import SERVICE_ACCOUNTS
from sympozium_controller.furniture import Furniture
from sympozium_controller.settings import Settings
from tests.controller.cluster import Cluster
from tests.fixtures.remembered import remembered
from tests.tenants.namespaces import create_namespace

ACCOUNT = "sympozium-run"


async def test_nothing_is_remembered_of_a_namespace_that_is_no_tenant_any_more(
    cluster: Cluster, settings: Settings
) -> None:
    furniture = Furniture(cluster.kube, settings.pods)
    for namespace in ("first", "second"):
        await create_namespace(cluster.kube, namespace)
        await furniture.ensure(namespace)
    async with furniture.closed("first"):
        pass
    assert remembered(furniture) == {"second"}


async def test_a_namespace_that_was_taken_down_is_set_up_anew_and_says_so(
    cluster: Cluster, settings: Settings
) -> None:
    furniture = Furniture(cluster.kube, settings.pods)
    await create_namespace(cluster.kube, "first")
    before = await furniture.ensure("first")
    assert await furniture.ensure("first") == before
    async with furniture.closed("first"):
        await cluster.kube.delete(SERVICE_ACCOUNTS, "first", ACCOUNT)
    assert await furniture.ensure("first") != before
    assert await cluster.kube.get(SERVICE_ACCOUNTS, "first", ACCOUNT)


async def test_a_part_that_is_restored_is_no_new_setting_up(
    cluster: Cluster, settings: Settings
) -> None:
    furniture = Furniture(cluster.kube, settings.pods)
    await create_namespace(cluster.kube, "first")
    before = await furniture.ensure("first")
    await cluster.kube.delete(SERVICE_ACCOUNTS, "first", ACCOUNT)
    await furniture.restore("first")
    assert await furniture.ensure("first") == before
    assert await cluster.kube.get(SERVICE_ACCOUNTS, "first", ACCOUNT)
