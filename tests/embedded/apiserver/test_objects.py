"""What creating, changing and deleting does to any object."""

from typing import Any

CONFIGMAPS = "/api/v1/namespaces/default/configmaps"


async def test_a_created_object_has_the_metadata_that_only_the_server_gives(
    api: Any, configmap: Any
) -> None:
    made = await api.create(CONFIGMAPS, configmap("a", {"k": "v"}))
    assert made == await api.get(f"{CONFIGMAPS}/a")
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    assert made["metadata"]["namespace"] == "default"
    assert made["kind"] == "ConfigMap"


async def test_a_second_object_of_the_same_name_already_exists(api: Any, configmap: Any) -> None:
    await api.create(CONFIGMAPS, configmap("a"))
    code, status = await api.call("POST", CONFIGMAPS, configmap("a"))
    assert (code, status["reason"]) == (409, "AlreadyExists")
    assert status["message"] == 'configmaps "a" already exists'


async def test_a_missing_object_is_not_found(api: Any) -> None:
    code, status = await api.call("GET", f"{CONFIGMAPS}/nothing")
    assert (code, status["reason"]) == (404, "NotFound")
    assert status["message"] == 'configmaps "nothing" not found'
    assert status["details"] == {"name": "nothing", "kind": "configmaps"}


async def test_an_object_in_a_missing_namespace_is_refused(api: Any, configmap: Any) -> None:
    path = "/api/v1/namespaces/nowhere/configmaps"
    code, status = await api.call("POST", path, configmap("a"))
    assert (code, status["message"]) == (404, 'namespaces "nowhere" not found')


async def test_a_write_from_an_old_version_is_a_conflict(api: Any, configmap: Any) -> None:
    first = await api.create(CONFIGMAPS, configmap("a"))
    await api.merge(f"{CONFIGMAPS}/a", {"data": {"k": "other"}})
    code, status = await api.call("PUT", f"{CONFIGMAPS}/a", first | {"data": {"k": "mine"}})
    assert (code, status["reason"]) == (409, "Conflict")
    assert "the object has been modified" in status["message"]


async def test_a_write_without_a_version_wins_for_built_in_kinds(api: Any, configmap: Any) -> None:
    await api.create(CONFIGMAPS, configmap("a"))
    changed = await api.replace(f"{CONFIGMAPS}/a", configmap("a", {"k": "v"}))
    assert changed["data"] == {"k": "v"}


async def test_a_custom_object_is_only_replaced_by_someone_who_read_it(
    api: Any, widgets: str
) -> None:
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}
    await api.create(widgets, dict(widget))
    code, status = await api.call("PUT", f"{widgets}/a", widget)
    assert code == 422
    assert "metadata.resourceVersion" in status["message"]


async def test_a_write_that_changes_nothing_keeps_the_version(api: Any, configmap: Any) -> None:
    first = await api.create(CONFIGMAPS, configmap("a", {"k": "v"}))
    again = await api.merge(f"{CONFIGMAPS}/a", {"data": {"k": "v"}})
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_the_generation_counts_changes_of_the_wish_and_not_of_the_status(
    api: Any, widgets: str
) -> None:
    made = await api.create(widgets, {"metadata": {"name": "a"}, "spec": {"color": "red"}})
    assert made["metadata"]["generation"] == 1
    labelled = await api.merge(f"{widgets}/a", {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    reported = await api.merge(f"{widgets}/a/status", {"status": {"phase": "Done"}})
    assert reported["metadata"]["generation"] == 1
    wished = await api.merge(f"{widgets}/a", {"spec": {"color": "blue"}})
    assert wished["metadata"]["generation"] == 2


async def test_status_and_the_rest_are_written_apart(api: Any, widgets: str) -> None:
    await api.create(widgets, {"metadata": {"name": "a"}, "spec": {"color": "red"}})
    both = {"spec": {"color": "blue"}, "status": {"phase": "Done"}}
    assert (await api.merge(f"{widgets}/a", both))["status"] == {"phase": "Pending"}
    both["spec"]["color"] = "red"
    reported = await api.merge(f"{widgets}/a/status", both)
    assert (reported["spec"]["color"], reported["status"]["phase"]) == ("blue", "Done")


async def test_generated_names_do_not_collide_in_thousands(api: Any) -> None:
    names = set()
    for _ in range(200):
        made = await api.create(CONFIGMAPS, {"metadata": {"generateName": "run-"}})
        names.add(made["metadata"]["name"])
    assert len(names) == 200
    assert all(name.startswith("run-") and len(name) == 9 for name in names)


async def test_a_dry_run_stores_nothing(api: Any, configmap: Any) -> None:
    made = await api.create(f"{CONFIGMAPS}?dryRun=All", configmap("a"))
    assert made["metadata"]["uid"]
    assert (await api.call("GET", f"{CONFIGMAPS}/a"))[0] == 404
    await api.create(CONFIGMAPS, configmap("b"))
    await api.delete(f"{CONFIGMAPS}/b?dryRun=All")
    await api.get(f"{CONFIGMAPS}/b")


async def test_an_object_with_a_finalizer_is_marked_and_goes_when_that_is_removed(
    api: Any, configmap: Any
) -> None:
    await api.create(CONFIGMAPS, configmap("a", finalizers=["example.com/wait"]))
    marked = await api.delete(f"{CONFIGMAPS}/a")
    assert marked["metadata"]["deletionTimestamp"]
    code, status = await api.call(
        "PATCH",
        f"{CONFIGMAPS}/a",
        {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}},
        content_type="application/merge-patch+json",
    )
    assert code == 422
    assert "no new finalizers can be added" in status["message"]
    await api.merge(f"{CONFIGMAPS}/a", {"metadata": {"finalizers": None}})
    assert (await api.call("GET", f"{CONFIGMAPS}/a"))[0] == 404


async def test_a_deletion_meant_for_another_object_is_a_conflict(api: Any, configmap: Any) -> None:
    made = await api.create(CONFIGMAPS, configmap("a"))
    wrong = {"preconditions": {"uid": "another"}}
    code, status = await api.call("DELETE", f"{CONFIGMAPS}/a", wrong)
    assert (code, status["reason"]) == (409, "Conflict")
    await api.delete(f"{CONFIGMAPS}/a", {"preconditions": {"uid": made["metadata"]["uid"]}})


async def test_a_collection_is_deleted_by_label(api: Any, configmap: Any) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        await api.create(CONFIGMAPS, configmap(name, labels={"l": label}))
    await api.delete(f"{CONFIGMAPS}?labelSelector=l=x")
    left = await api.get(f"{CONFIGMAPS}?labelSelector=l")
    assert [item["metadata"]["name"] for item in left["items"]] == ["c"]


async def test_unknown_fields_are_pruned_with_a_warning_or_refused_if_asked(
    api: Any, widgets: str
) -> None:
    kind = {"apiVersion": "example.com/v1", "kind": "Widget"}
    widget = {**kind, "metadata": {"name": "a"}, "spec": {"colour": "red"}}
    code, status = await api.call("POST", f"{widgets}?fieldValidation=Strict", widget)
    assert code == 400
    assert 'strict decoding error: unknown field "spec.colour"' in status["message"]
    async with api.session.post(
        api.endpoint.url + widgets, json=widget, headers=api.headers(None)
    ) as answer:
        assert answer.status == 201
        assert answer.headers["Warning"] == '299 - "unknown field \\"spec.colour\\""'
        assert (await answer.json())["spec"] == {"size": 3}


async def test_a_body_that_is_no_object_is_a_bad_request(api: Any) -> None:
    bodies: list[Any] = [7, [], "text", {"metadata": 7}, {"kind": "Secret", "metadata": {}}]
    for body in bodies:
        code, status = await api.call("POST", CONFIGMAPS, body)
        assert (code, status["reason"]) == (400, "BadRequest"), body


async def test_a_body_over_three_mebibytes_is_refused(api: Any, configmap: Any) -> None:
    code, status = await api.call("POST", CONFIGMAPS, configmap("a", {"k": "x" * 3_200_000}))
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")


async def test_secrets_take_plain_text_and_give_base64(api: Any) -> None:
    secret = {"metadata": {"name": "a"}, "stringData": {"k": "v"}}
    made = await api.create("/api/v1/namespaces/default/secrets", secret)
    assert made["data"] == {"k": "dg=="}
    assert "stringData" not in made


async def test_a_replaced_object_keeps_its_identity(api: Any, configmap: Any) -> None:
    made = await api.create(CONFIGMAPS, configmap("a"))
    forged = configmap("a", creationTimestamp="2001-01-01T00:00:00Z")
    changed = await api.replace(f"{CONFIGMAPS}/a", forged)
    for field in ("uid", "creationTimestamp"):
        assert changed["metadata"][field] == made["metadata"][field]


async def test_the_scale_of_a_custom_object_is_read_and_set(api: Any, widgets: str) -> None:
    await api.create(widgets, {"metadata": {"name": "a"}, "spec": {"replicas": 1}})
    scaled = await api.merge(f"{widgets}/a/scale", {"spec": {"replicas": 4}})
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 4)
    assert (await api.get(f"{widgets}/a"))["spec"]["replicas"] == 4


async def test_metadata_of_the_wrong_type_is_refused_for_every_kind(api: Any, widgets: str) -> None:
    odd: list[dict[str, Any]] = [
        {"labels": {"a": 1}},
        {"labels": ["a"]},
        {"finalizers": "x"},
        {"ownerReferences": [{"name": "x"}]},
        {"ownerReferences": ["x"]},
        {"annotations": {"a": {"b": "c"}}},
    ]
    for path in (widgets, CONFIGMAPS):
        for metadata in odd:
            body = {"metadata": {"name": "odd", **metadata}}
            code, status = await api.call("POST", path, body)
            assert code in {400, 422}, (path, metadata, status)


async def test_specs_of_the_wrong_type_are_refused(api: Any) -> None:
    odd: list[Any] = [None, 7, {}, {"containers": 7}, {"containers": [7]}, {"containers": []}]
    for spec in odd:
        body = {"metadata": {"name": "odd"}, "spec": spec}
        code, status = await api.call("POST", "/api/v1/namespaces/default/pods", body)
        assert code in {400, 422}, (spec, status)
