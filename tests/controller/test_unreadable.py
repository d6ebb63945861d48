from sympozium.contract.resources import CUSTOM_RESOURCE_DEFINITIONS
from tests.controller.cluster import Cluster

SEQUENCE = (
    "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/source/properties/sequence"
)


async def test_a_run_that_cannot_be_read_fails_and_says_where(controlled: Cluster) -> None:
    """The kinds of a cluster may be those of another version, which takes what ours does not."""
    wider = [{"op": "replace", "path": f"{SEQUENCE}/type", "value": "number"}]
    name = "agentruns.sympozium.ai"
    await controlled.kube.patch(CUSTOM_RESOURCE_DEFINITIONS, None, name, wider)
    await controlled.create_agent()
    await controlled.create_run("r1", conversation="c", sequence=7.5)
    status = await controlled.ended("r1")
    assert (status["phase"], status["error"]["reason"]) == ("Failed", "Configuration")
    assert "$.source.sequence" in status["error"]["message"]
