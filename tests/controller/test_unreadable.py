from tests.controller.cluster import Cluster


async def test_a_run_that_cannot_be_read_fails_and_says_where(controlled: Cluster) -> None:
    """A schema takes 7.0 for an integer, and ours is not the only one that a cluster may have."""
    await controlled.create_agent()
    await controlled.create_run("r1", conversation="c", sequence=7.0)
    status = await controlled.ended("r1")
    assert (status["phase"], status["error"]["reason"]) == ("Failed", "Configuration")
    assert "$.source.sequence" in status["error"]["message"]
