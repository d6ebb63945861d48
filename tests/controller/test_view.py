"""What is read from a pod's status."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sympozium_controller.runs.view import read_pod

NOON = "2026-05-04T12:00:00Z"


@pytest.mark.parametrize(
    ("state", "began"),
    [
        ({"running": {"startedAt": NOON}}, datetime(2026, 5, 4, 12, tzinfo=UTC)),
        ({"terminated": {"reason": "StartError", "startedAt": "1970-01-01T00:00:00Z"}}, None),
        ({"waiting": {"reason": "ContainerCreating"}}, None),
    ],
)
def test_a_container_that_could_not_be_started_has_not_begun(
    state: dict[str, Any], began: datetime | None
) -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "n", "uid": "u", "creationTimestamp": NOON},
        "spec": {"containers": [{"name": "agent"}]},
        "status": {"containerStatuses": [{"name": "agent", "state": state}]},
    }
    (agent,) = read_pod(pod).containers
    assert agent.started == began
