"""`doctor` names the runs that tried to reach what they may not."""

import pytest

from sympozium.contract.resources import ADMISSION_POLICY_BINDINGS, AGENT_RUNS, Object
from sympozium_local.cli.checks import reach
from sympozium_local.cli.checks.check import State
from sympozium_local.cli.paths import path_of
from tests.cli.apis import Api

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(autouse=True)
def anybody_may_write_a_status(installed: Api) -> None:
    """Have what keeps the status to the controller be away."""
    installed.remove(ADMISSION_POLICY_BINDINGS, "", "sympozium-status")


def ended(installed: Api, name: str, **status: object) -> None:
    """Have a run be there that has ended."""
    run: Object = {
        "apiVersion": AGENT_RUNS.api_version,
        "kind": AGENT_RUNS.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"agentRef": "a", "task": "hello"},
    }
    installed.put(run)
    path = path_of(AGENT_RUNS, "default", name) + "/status"
    installed.cluster.patch(path, {"status": {"phase": "Succeeded", **status}})


def test_who_tried_something_in_vain_is_named_whoever_ended_last_first(
    installed: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "PAGE", 1)
    ended(installed, "honest", finishedAt="2026-11-22T10:00:00Z")
    (told,) = reach.reach_checks(installed.cluster, "")
    assert (told.state, told.text) == (State.OK, "none tried to reach what it may not")
    ended(installed, "earlier", finishedAt="2026-11-22T11:00:00Z", blockedConnections=2)
    ended(installed, "later", finishedAt="2026-11-22T12:00:00Z", blockedConnections=70)
    first, second = reach.reach_checks(installed.cluster, "default")
    assert [first.about, second.about] == ["default/later", "default/earlier"]
    assert (first.state, "tried 70 times" in first.text) == (State.WARNING, True)
    assert "at 2026-11-22T12:00:00Z as Succeeded" in first.text


def test_many_of_them_are_a_number(installed: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "MANY", 1)
    for name in ("one", "two", "three"):
        ended(installed, name, blockedConnections=1)
    _, more = reach.reach_checks(installed.cluster, "")
    assert more.text.startswith("2 more tried")
