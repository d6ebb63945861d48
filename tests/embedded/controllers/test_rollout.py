"""How a Deployment moves to its next template, on values alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sympozium_local.controllers.rollout import (
    build_set,
    deployment_status,
    matching_set,
    scales,
    surplus,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Object = dict[str, Any]


def deployment(image: str = "a", replicas: int = 1, **strategy: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default", "uid": "u", "generation": 1},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "d"}},
            "strategy": strategy or {"type": "RollingUpdate", "rollingUpdate": {}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    }


def replica_set(owner: Object, size: int, available: int | None = None) -> Object:
    made = build_set(owner, revision=1, collisions=0)
    made["spec"]["replicas"] = size
    count = size if available is None else available
    made["status"] = {"replicas": size, "availableReplicas": count, "readyReplicas": count}
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    return made


def test_the_set_of_a_template_is_found_again_whatever_its_labels() -> None:
    first, second = deployment("a"), deployment("b")
    sets = [replica_set(first, 1), replica_set(second, 1)]
    assert matching_set(first, sets) is sets[0]
    assert matching_set(deployment("c"), sets) is None


def test_recreate_waits_until_the_old_pods_are_gone() -> None:
    wanted = deployment("b", 1, type="Recreate")
    new, old = replica_set(wanted, 0), replica_set(deployment("a"), 1)
    assert scales(wanted, new, [old]) == [(old, 0)]
    old["spec"]["replicas"] = 0
    assert scales(wanted, new, [old]) == []
    old["status"]["replicas"] = 0
    assert scales(wanted, new, [old]) == [(new, 1)]


def test_a_rolling_update_of_one_replica_starts_the_new_pod_first() -> None:
    wanted = deployment("b", 1)
    new, old = replica_set(wanted, 0), replica_set(deployment("a"), 1)
    assert scales(wanted, new, [old]) == [(new, 1)]
    new = replica_set(wanted, 1, available=0)
    assert scales(wanted, new, [old]) == []
    new = replica_set(wanted, 1, available=1)
    assert scales(wanted, new, [old]) == [(old, 0)]


def test_scaling_without_a_rollout_sets_the_number() -> None:
    wanted = deployment("a", 5)
    new = replica_set(wanted, 2)
    assert scales(wanted, new, []) == [(new, 5)]
    wanted["spec"]["replicas"] = 0
    assert scales(wanted, new, []) == [(new, 0)]


@given(
    replicas=st.integers(min_value=1, max_value=12),
    surge=st.integers(min_value=0, max_value=4),
    unavailable=st.integers(min_value=0, max_value=4),
)
def test_a_rolling_update_ends_and_keeps_its_limits_on_the_way(
    replicas: int, surge: int, unavailable: int
) -> None:
    limits = {"maxSurge": surge, "maxUnavailable": unavailable}
    wanted = deployment("b", replicas, type="RollingUpdate", rollingUpdate=limits)
    new, old = replica_set(wanted, 0), replica_set(deployment("a"), replicas)
    floor = replicas - (unavailable or (0 if surge else 1))
    for _ in range(4 * replicas + 2):
        steps = scales(wanted, new, [old])
        if not steps:
            break
        for owned, size in steps:
            owned["spec"]["replicas"] = size
            status = owned["status"]
            status["availableReplicas"] = min(status["availableReplicas"], size)
        total = new["spec"]["replicas"] + old["spec"]["replicas"]
        available = new["status"]["availableReplicas"] + old["status"]["availableReplicas"]
        assert total <= replicas + max(surge, 0)
        assert available >= floor
        for owned in (new, old):  # the pods come up
            size = owned["spec"]["replicas"]
            owned["status"] = {"replicas": size, "availableReplicas": size}
    assert (new["spec"]["replicas"], old["spec"]["replicas"]) == (replicas, 0)


def test_a_rollout_that_stands_still_is_called_out_after_its_deadline() -> None:
    wanted = deployment("a", 1)
    new = replica_set(wanted, 1, available=0)
    wanted["status"] = deployment_status(wanted, new, [], NOW)
    late = deployment_status(wanted, new, [], NOW + timedelta(seconds=601))
    reasons = {entry["type"]: entry["reason"] for entry in late["conditions"]}
    assert reasons["Progressing"] == "ProgressDeadlineExceeded"
    assert reasons["Available"] == "MinimumReplicasUnavailable"


def test_the_status_of_a_finished_rollout_does_not_change_with_time() -> None:
    wanted = deployment("a", 2)
    new = replica_set(wanted, 2)
    wanted["status"] = deployment_status(wanted, new, [], NOW)
    assert deployment_status(wanted, new, [], NOW + timedelta(days=1)) == wanted["status"]


def test_only_empty_old_sets_beyond_the_history_limit_are_surplus() -> None:
    wanted = deployment("z")
    wanted["spec"]["revisionHistoryLimit"] = 1
    old = [replica_set(deployment(image), size) for image, size in (("a", 0), ("b", 0), ("c", 1))]
    for number, owned in enumerate(old):
        owned["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(number + 1)
    assert surplus(wanted, old) == [old[0]]
