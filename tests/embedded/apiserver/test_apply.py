"""Server-side apply, over the wire."""

from typing import Any

APPLY = "application/apply-patch+yaml"
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


def config(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


async def apply(api: Any, path: str, body: Any, manager: str, query: str = "") -> tuple[int, Any]:
    where = f"{path}?fieldManager={manager}{query}"
    code, answer = await api.call("PATCH", where, body, content_type=APPLY)
    return code, answer


async def test_an_apply_creates_what_is_not_there(api: Any) -> None:
    code, made = await apply(api, f"{CONFIGMAPS}/a", config(k="v"), "me")
    assert code == 201
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("me", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:k": {}}}


async def test_applying_the_same_again_changes_nothing(api: Any) -> None:
    path = f"{CONFIGMAPS}/a"
    await apply(api, path, config(k="v"), "other")
    _, first = await apply(api, path, config(k="v"), "me")
    code, again = await apply(api, path, config(k="v"), "me")
    assert code == 200
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_what_is_no_longer_applied_goes_and_what_others_wrote_stays(api: Any) -> None:
    path = f"{CONFIGMAPS}/a"
    await apply(api, path, config(mine="1", old="1"), "me")
    await api.merge(path, {"data": {"theirs": "2"}})
    _, left = await apply(api, path, config(mine="1"), "me")
    assert left["data"] == {"mine": "1", "theirs": "2"}


async def test_a_field_of_another_manager_is_a_conflict_unless_forced(api: Any) -> None:
    path = f"{CONFIGMAPS}/a"
    await apply(api, path, config(k="1"), "one")
    code, status = await apply(api, path, config(k="2"), "two")
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one"',
            "field": ".data.k",
        }
    ]
    code, forced = await apply(api, path, config(k="2"), "two", "&force=true")
    assert (code, forced["data"]) == (200, {"k": "2"})


async def test_an_apply_needs_a_manager(api: Any) -> None:
    code, status = await api.call("PATCH", f"{CONFIGMAPS}/a", config(), content_type=APPLY)
    assert code == 422
    assert "fieldManager: Required value" in status["message"]


async def test_the_status_is_applied_by_its_own_path(api: Any, widgets: str) -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    body = {**widget, "spec": {"color": "red"}, "status": {"phase": "Forged"}}
    code, made = await apply(api, f"{widgets}/a", body, "me")
    assert (code, made["status"]["phase"]) == (201, "Pending")
    (entry,) = made["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {"f:spec": {"f:color": {}}}
    body = {**widget, "status": {"phase": "Done"}}
    code, made = await apply(api, f"{widgets}/a/status", body, "reporter")
    assert (code, made["status"]["phase"], made["spec"]["color"]) == (200, "Done", "red")


async def test_every_write_says_whose_fields_are_whose(api: Any, widgets: str) -> None:
    await api.create(f"{widgets}?fieldManager=maker", {"metadata": {"name": "a"}, "spec": {}})
    await api.merge(f"{widgets}/a/status?fieldManager=reporter", {"status": {"phase": "Done"}})
    made = await api.get(f"{widgets}/a")
    owners = {
        (entry["manager"], entry.get("subresource", ""))
        for entry in made["metadata"]["managedFields"]
    }
    assert owners == {("maker", ""), ("reporter", "status")}
