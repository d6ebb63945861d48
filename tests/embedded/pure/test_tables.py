"""Tables, cell by cell as real kubectl shows them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sympozium_local.apiserver.builtin import BUILTIN
from sympozium_local.apiserver.relative_time import human_duration
from sympozium_local.apiserver.resource import ApiResource, Column
from sympozium_local.apiserver.tables import json_path, table

KINDS = {one.storage_key: one for one in BUILTIN}


def ago(**time: float) -> str:
    return (datetime.now(UTC) - timedelta(**time)).strftime("%Y-%m-%dT%H:%M:%SZ")


def cells(resource: ApiResource, obj: dict[str, Any]) -> dict[str, Any]:
    obj.setdefault("metadata", {"name": "x"})
    shown = table(resource, [obj], list_metadata={}, include_object="None")
    names = [column["name"] for column in shown["columnDefinitions"]]
    return dict(zip(names, shown["rows"][0]["cells"], strict=True))


def state(name: str, **more: Any) -> dict[str, Any]:
    return {"name": "a", "restartCount": 0, "ready": False, "state": {name: more}}


RUNNING = {**state("running"), "ready": True}
READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("status", "ready", "shown"),
    [
        ({"phase": "Pending"}, "0/1", "Pending"),
        (
            {"phase": "Pending", "containerStatuses": [state("waiting", reason="ErrImagePull")]},
            "0/1",
            "ErrImagePull",
        ),
        ({"phase": "Running", "containerStatuses": [RUNNING]}, "1/1", "Running"),
        (
            {"phase": "Failed", "containerStatuses": [state("terminated", exitCode=3)]},
            "0/1",
            "ExitCode:3",
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [state("terminated", exitCode=0, reason="Completed")],
            },
            "0/1",
            "Completed",
        ),
        (
            {
                "phase": "Running",
                "conditions": READY,
                "containerStatuses": [
                    RUNNING,
                    state("terminated", exitCode=0, reason="Completed"),
                ],
            },
            "1/1",
            "Running",
        ),
        ({"phase": "Failed", "reason": "Evicted"}, "0/1", "Evicted"),
        (
            {"phase": "Pending", "initContainerStatuses": [state("running")]},
            "0/1",
            "Init:0/0",
        ),
        (
            {
                "phase": "Pending",
                "initContainerStatuses": [state("terminated", exitCode=1, reason="Error")],
            },
            "0/1",
            "Init:Error",
        ),
    ],
)
def test_a_pod_shows_how_it_is_doing(status: Any, ready: str, shown: str) -> None:
    found = cells(KINDS["pods"], {"spec": {"containers": [{"name": "a"}]}, "status": status})
    assert (found["Ready"], found["Status"]) == (ready, shown)


def test_a_pod_that_is_being_deleted_says_so() -> None:
    pod = {"metadata": {"name": "p", "deletionTimestamp": ago()}, "status": {"phase": "Running"}}
    assert cells(KINDS["pods"], pod)["Status"] == "Terminating"


def test_restarts_tell_when_the_last_one_was() -> None:
    ended = {"terminated": {"finishedAt": ago(minutes=5, seconds=1)}}
    container = {**RUNNING, "restartCount": 2, "lastState": ended}
    pod = {"status": {"phase": "Running", "containerStatuses": [container]}}
    assert cells(KINDS["pods"], pod)["Restarts"].startswith("2 (5m")


def test_a_started_sidecar_counts_as_a_container() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always"}
    pod = {
        "spec": {"containers": [{"name": "a"}], "initContainers": [sidecar]},
        "status": {
            "phase": "Running",
            "initContainerStatuses": [{**RUNNING, "name": "s", "started": True}],
            "containerStatuses": [RUNNING],
        },
    }
    assert cells(KINDS["pods"], pod)["Ready"] == "2/2"


def test_a_job_shows_its_outcome_and_how_long_it_took() -> None:
    job = {
        "spec": {"completions": 1},
        "status": {
            "succeeded": 1,
            "startTime": "2026-01-01T00:00:00Z",
            "completionTime": "2026-01-01T00:02:05Z",
            "conditions": [{"type": "Complete", "status": "True"}],
        },
    }
    found = cells(KINDS["jobs.batch"], job)
    assert [found[name] for name in ("Status", "Completions", "Duration")] == [
        "Complete",
        "1/1",
        "2m5s",
    ]


@pytest.mark.parametrize(
    ("key", "obj", "expected"),
    [
        (
            "deployments.apps",
            {
                "spec": {
                    "replicas": 3,
                    "selector": {"matchLabels": {"app": "a"}},
                    "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
                },
                "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 1},
            },
            {
                "Ready": "2/3",
                "Up-to-date": 3,
                "Available": 1,
                "Containers": "c",
                "Images": "i",
                "Selector": "app=a",
            },
        ),
        (
            "services",
            {
                "spec": {
                    "type": "NodePort",
                    "clusterIPs": ["10.0.0.1"],
                    "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}],
                }
            },
            {"Cluster-IP": "10.0.0.1", "External-IP": "<none>", "Port(s)": "80:30000/TCP"},
        ),
        ("secrets", {"type": "Opaque", "data": {"a": "", "b": ""}}, {"Type": "Opaque", "Data": 2}),
        (
            "events",
            {
                "involvedObject": {"kind": "Pod", "name": "p"},
                "reason": "Started",
                "message": " hi ",
                "type": "Normal",
            },
            {"Object": "pod/p", "Message": "hi", "Count": 1, "Last Seen": "<unknown>"},
        ),
        (
            "nodes",
            {"status": {"conditions": READY, "nodeInfo": {"kubeletVersion": "v1"}}},
            {"Status": "Ready", "Roles": "<none>", "Version": "v1"},
        ),
        (
            "rolebindings.rbac.authorization.k8s.io",
            {
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [
                    {"kind": "User", "name": "u"},
                    {"kind": "ServiceAccount", "namespace": "n", "name": "s"},
                ],
            },
            {"Role": "Role/r", "Users": "u", "Groups": "", "ServiceAccounts": "n/s"},
        ),
        (
            "endpoints",
            {
                "subsets": [
                    {
                        "addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)],
                        "ports": [{"port": 80}],
                    }
                ]
            },
            {"Endpoints": "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."},
        ),
    ],
)
def test_a_built_in_kind_has_the_cells_people_know(key: str, obj: Any, expected: Any) -> None:
    found = cells(KINDS[key], obj)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("key", sorted(KINDS))
def test_an_empty_object_of_any_kind_has_a_row(key: str) -> None:
    row = cells(KINDS[key], {"metadata": {"name": "x"}})
    assert row["Name"] == "x"


CUSTOM = ApiResource(
    "example.com",
    "v1",
    "runs",
    "run",
    "Run",
    is_builtin=False,
    columns=(
        Column("Phase", "string", ".status.phase"),
        Column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Tries", "integer", ".status.tries"),
        Column("Since", "date", ".status.since"),
        Column("First", "string", ".spec.items[0].name", 1),
    ),
)


def test_a_custom_kind_has_the_columns_of_its_definition() -> None:
    run = {
        "spec": {"items": [{"name": "a"}]},
        "status": {"phase": "Done", "conditions": READY, "tries": 2, "since": ago(hours=3)},
    }
    assert cells(CUSTOM, run) == {
        "Name": "x",
        "Phase": "Done",
        "Ready": "True",
        "Tries": 2,
        "Since": "3h",
        "First": "a",
    }


def test_a_cell_without_a_value_is_null() -> None:
    assert list(cells(CUSTOM, {}).values()) == ["x", None, None, None, None, None]


def test_rows_carry_what_was_asked_for_and_columns_come_once() -> None:
    obj = {"metadata": {"name": "x"}, "spec": {}}
    whole = table(CUSTOM, [obj], list_metadata={"resourceVersion": "7"}, include_object="Object")
    assert whole["metadata"] == {"resourceVersion": "7"}
    assert whole["rows"][0]["object"] == obj
    part = table(CUSTOM, [obj], list_metadata={}, include_object="Metadata", with_columns=False)
    assert part["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert part["columnDefinitions"] is None


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.b", [1]),
        (".a['b']", [1]),
        (".list[-1].n", [2]),
        (".list[*].n", [1, 2]),
        (".list[?(@.n==2)].m", ["x"]),
        (r".dotted\.name", [3]),
        (".missing.b", []),
        (".list.n", []),
    ],
)
def test_a_json_path_finds_what_it_names(path: str, found: list[Any]) -> None:
    obj = {"a": {"b": 1}, "list": [{"n": 1}, {"n": 2, "m": "x"}], "dotted.name": 3}
    assert json_path(path)(obj) == found


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-2, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (150, "2m30s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (47 * 3600, "47h"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (3 * 365 * 86400, "3y"),
        (2 * 365 * 86400 + 86400, "2y1d"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: int, shown: str) -> None:
    assert human_duration(seconds) == shown
