"""Creating, reading, replacing and deleting."""

from tests.differential.case import Object, Sitting, case
from tests.differential.kinds import V1


def config(name: str, data: Object | None = None, **metadata: object) -> Object:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, **metadata},
        **({} if data is None else {"data": data}),
    }


def widget(name: str, spec: Object | None = None, **metadata: object) -> Object:
    """Return a Widget."""
    return {
        "apiVersion": V1,
        "kind": "Widget",
        "metadata": {"name": name, **metadata},
        **({} if spec is None else {"spec": spec}),
    }


@case()
async def created_object(s: Sitting) -> None:
    maps = s.path("configmaps")
    await s.post(maps, config("a", {"k": "v"}))
    await s.get(f"{maps}/a")
    await s.post(maps, config("a"))


@case()
async def missing_object(s: Sitting) -> None:
    maps = s.path("configmaps")
    await s.get(f"{maps}/nothing")
    await s.put(f"{maps}/nothing", config("nothing"))
    await s.patch(f"{maps}/nothing", {"data": {}})
    await s.delete(f"{maps}/nothing")
    await s.get(s.path("widgets", V1) + "/nothing")
    await s.put(s.path("widgets", V1) + "/nothing", widget("nothing"))


@case()
async def missing_namespace(s: Sitting) -> None:
    maps = s.path("configmaps", namespace="nowhere-at-all")
    await s.get(maps)
    await s.get(f"{maps}/a")
    await s.post(maps, config("a"))
    await s.post(s.path("widgets", V1, namespace="nowhere-at-all"), widget("a"))


@case()
async def missing_kind(s: Sitting) -> None:
    for path in (
        "/api/v1/namespaces/default/nothings",
        "/apis/none.example.com/v1/nothings",
        "/apis/batch/v7/jobs",
        "/nothing",
        "/api/v1/namespaces/default/pods/a/nothing",
    ):
        await s.get(path)


@case()
async def method_that_is_not_allowed(s: Sitting) -> None:
    await s.do("POST", s.path("configmaps") + "/a", config("a"))
    await s.do("PUT", s.path("configmaps"), config("a"))
    await s.do(
        "PATCH", s.path("configmaps"), {}, **{"Content-Type": "application/merge-patch+json"}
    )


@case()
async def replaced_object(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    made = await s.post(s.path("configmaps"), config("a", {"k": "v"}, labels={"l": "1"}))
    await s.put(path, config("a", {"k": "w"}))
    await s.put(path, {**made, "data": {"k": "x"}})
    await s.put(path, config("a", {"k": "w"}, uid="00000000-0000-0000-0000-000000000000"))
    await s.put(path, config("b", {"k": "w"}))
    await s.put(path, config("a", {"k": "w"}, namespace="default"))
    await s.put(path, config("a", {"k": "w"}, resourceVersion="not a number"))


@case()
async def replaced_custom_object(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    made = await s.post(s.path("widgets", V1), widget("a", {"size": 1}))
    await s.put(path, widget("a", {"size": 2}))
    await s.put(path, {**made, "spec": {"size": 2}})
    await s.put(path, {**made, "spec": {"size": 3}})


@case()
async def write_that_changes_nothing(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    made = await s.post(s.path("configmaps"), config("a", {"k": "v"}))
    await s.put(path, made)
    await s.patch(path, {"data": {"k": "v"}})
    await s.patch(path, {})


@case()
async def generation(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"color": "red"}))
    await s.patch(path, {"metadata": {"labels": {"x": "y"}}})
    await s.patch(f"{path}/status", {"status": {"phase": "Done"}})
    await s.patch(path, {"spec": {"color": "blue"}})


@case()
async def server_owned_metadata(s: Sitting) -> None:
    metadata: Object = {
        "uid": "00000000-0000-0000-0000-000000000000",
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "generation": 7,
        "deletionTimestamp": "2001-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 5,
        "selfLink": "/x",
    }
    for name, build in (("configmaps", config), ("widgets", widget)):
        path = s.path(name, V1 if name == "widgets" else "v1")
        await s.post(path, build("a", **metadata))
        await s.patch(f"{path}/a", {"metadata": {**metadata, "uid": None}})


@case()
async def created_with_a_version(s: Sitting) -> None:
    await s.post(s.path("configmaps"), config("a", resourceVersion="1"))
    await s.post(s.path("widgets", V1), widget("a", resourceVersion="1"))


@case()
async def generated_name(s: Sitting) -> None:
    maps = s.path("configmaps")
    body = {"metadata": {"generateName": "run-"}}
    await s.post(maps, body)
    await s.post(maps, {"metadata": {"generateName": "run-", "name": "given"}})
    made = (await s.ask("POST", maps, {"metadata": {"generateName": "x" * 62}}))[2]
    s.say("the length of a name from a prefix of 62", len(made["metadata"]["name"]))
    await s.post(s.path("widgets", V1), {**widget(""), "metadata": {"generateName": "run-"}})
    odd = {"metadata": {"generateName": "Run-"}}
    status, headers, answer = await s.ask("POST", maps, odd)
    s.normal.name(answer["details"].get("name", "Run-"), "refused")
    s.note(f"POST {maps}", status, headers, answer)


@case()
async def no_name(s: Sitting) -> None:
    await s.post(s.path("configmaps"), {"metadata": {}})
    await s.post(s.path("widgets", V1), {**widget(""), "metadata": {}})
    await s.post(s.path("configmaps"), {})


@case()
async def bad_names(s: Sitting) -> None:
    for name in ("A", "a_b", "-a", "a" * 254, "a/b", "..", "a.b", "a%b"):
        await s.post(s.path("configmaps"), config(name))
        await s.post(s.path("widgets", V1), widget(name))
    await s.post(s.path("services"), {"metadata": {"name": "1a"}, "spec": {"ports": [{"port": 1}]}})
    await s.post("/api/v1/namespaces", {"metadata": {"name": "a.b"}})


@case()
async def bad_labels(s: Sitting) -> None:
    labels = {"a b": "c", "ok": "no way", "-x": "y", "a/b/c": "d", "e": "f" * 64, "X.example/": "g"}
    for key, value in labels.items():
        await s.post(s.path("configmaps"), config("a", labels={key: value}))
        await s.post(s.path("widgets", V1), widget("a", labels={key: value}))
        await s.post(s.path("configmaps"), config("a", annotations={key: value}))


@case()
async def bad_metadata_types(s: Sitting) -> None:
    odd: list[Object] = [
        {"labels": {"a": 1}},
        {"labels": ["a"]},
        {"finalizers": "x"},
        {"annotations": {"a": {"b": "c"}}},
        {"ownerReferences": ["x"]},
    ]
    for metadata in odd:
        await s.post(s.path("configmaps"), config("a", **metadata))
        await s.post(s.path("widgets", V1), widget("a", **metadata))


@case()
async def bad_owner_references(s: Sitting) -> None:
    whole = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}
    for missing in ("apiVersion", "kind", "name", "uid"):
        owner = {key: value for key, value in whole.items() if key != missing}
        await s.post(s.path("configmaps"), config("a", ownerReferences=[owner]))
        await s.post(s.path("widgets", V1), widget("a", ownerReferences=[owner]))
    both = [{**whole, "controller": True}, {**whole, "uid": "v", "controller": True}]
    await s.post(s.path("configmaps"), config("a", ownerReferences=both))


@case()
async def bad_finalizers(s: Sitting) -> None:
    for finalizer in ("x", "a/b/c", "A b", "kubernetes", "foregroundDeletion", "example.com/ok"):
        await s.post(s.path("configmaps"), config(finalizer[0].lower(), finalizers=[finalizer]))
        await s.post(s.path("widgets", V1), widget(finalizer[0].lower(), finalizers=[finalizer]))
    for path in (s.path("configmaps"), s.path("widgets", V1)):
        for name in "axkfe":
            await s.ask(
                "PATCH",
                f"{path}/{name}",
                {"metadata": {"finalizers": None}},
                **{"Content-Type": "application/merge-patch+json"},
            )


@case()
async def another_kind_in_the_body(s: Sitting) -> None:
    await s.post(s.path("configmaps"), {**config("a"), "kind": "Secret"})
    await s.post(s.path("configmaps"), {**config("a"), "apiVersion": "v2"})
    await s.post(s.path("widgets", V1), {**widget("a"), "kind": "Bare"})
    await s.post(s.path("widgets", V1), {**widget("a"), "apiVersion": "v1"})
    await s.post(s.path("widgets", V1), {"metadata": {"name": "a"}})
    await s.post(s.path("configmaps"), {"metadata": {"name": "b"}})


@case()
async def another_namespace_in_the_body(s: Sitting) -> None:
    await s.post(s.path("configmaps"), config("a", namespace="default"))
    await s.post(s.path("widgets", V1), widget("a", namespace="default"))


@case()
async def bodies_that_are_no_object(s: Sitting) -> None:
    for body in (b"7", b"[]", b'"text"', b"{", b"", b"null", b'{"metadata": 7}'):
        await s.post(s.path("configmaps"), body)
        await s.post(s.path("widgets", V1), body)


@case()
async def body_in_yaml(s: Sitting) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  when: 2001-01-01\n"
    kind = {"Content-Type": "application/yaml"}
    await s.post(s.path("configmaps"), text.replace(b"2001-01-01", b"'2001'"), **kind)
    await s.post(s.path("configmaps"), text, **kind)
    await s.post(s.path("configmaps"), b"a: [", **kind)


@case()
async def body_in_an_unknown_form(s: Sitting) -> None:
    await s.post(s.path("configmaps"), b"<a/>", **{"Content-Type": "text/xml"})
    await s.post(s.path("widgets", V1), b"<a/>", **{"Content-Type": "text/xml"})
    await s.post(s.path("configmaps"), config("a"))
    await s.patch(s.path("configmaps") + "/a", {}, "application/json")
    await s.patch(s.path("configmaps") + "/a", {}, "text/xml")


@case()
async def unknown_fields(s: Sitting) -> None:
    for path, body in (
        (s.path("configmaps"), {**config("a"), "dota": {"x": "y"}}),
        (s.path("widgets", V1), widget("a", {"colour": "red", "nested": {"deep": 1}})),
    ):
        for mode in ("Strict", "Warn", "Ignore", "Other"):
            await s.post(f"{path}?fieldValidation={mode}&dryRun=All", body)
        await s.post(f"{path}?dryRun=All", body)


@case()
async def duplicate_fields(s: Sitting) -> None:
    text = b'{"metadata":{"name":"a","name":"b"},"data":{"k":"v","k":"w"}}'
    for mode in ("Strict", "Warn"):
        await s.post(f"{s.path('configmaps')}?fieldValidation={mode}&dryRun=All", text)


@case()
async def unknown_fields_in_metadata(s: Sitting) -> None:
    for path, build in ((s.path("configmaps"), config), (s.path("widgets", V1), widget)):
        await s.post(f"{path}?fieldValidation=Strict", build("a", colour="red"))
        await s.post(path, build("a", colour="red"))


@case()
async def dry_run(s: Sitting) -> None:
    maps = s.path("configmaps")
    await s.post(f"{maps}?dryRun=All", config("a", {"k": "v"}))
    await s.get(f"{maps}/a")
    await s.post(maps, config("a", {"k": "v"}))
    await s.patch(f"{maps}/a?dryRun=All", {"data": {"k": "w"}})
    await s.do("DELETE", f"{maps}/a?dryRun=All")
    await s.get(f"{maps}/a")
    await s.post(f"{maps}?dryRun=All", config("a"))
    await s.post(f"{maps}?dryRun=Some", config("b"))
    await s.delete(f"{maps}/a", {"dryRun": ["All"]})
    await s.get(f"{maps}/a")


@case()
async def deleted_object(s: Sitting) -> None:
    maps, widgets = s.path("configmaps"), s.path("widgets", V1)
    await s.post(maps, config("a"))
    await s.delete(f"{maps}/a")
    await s.post(widgets, widget("a"))
    await s.delete(f"{widgets}/a")
    await s.delete(f"{widgets}/a")
    await s.post(s.path("secrets"), {"metadata": {"name": "a"}})
    await s.delete(s.path("secrets") + "/a")
    await s.post(s.path("serviceaccounts"), {"metadata": {"name": "a"}})
    await s.delete(s.path("serviceaccounts") + "/a")
    await s.post(s.path("services"), {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}]}})
    await s.delete(s.path("services") + "/a")


@case()
async def secret_texts(s: Sitting) -> None:
    secrets = s.path("secrets")
    await s.post(secrets, {"metadata": {"name": "a"}, "stringData": {"k": "v"}})
    await s.post(secrets, {"metadata": {"name": "b"}, "data": {"k": "not base64!"}})
    await s.patch(f"{secrets}/a", {"type": "other"})
    await s.post(secrets, {"metadata": {"name": "c"}, "immutable": True, "data": {"k": "dg=="}})
    await s.patch(f"{secrets}/c", {"data": {"k": "dw=="}})
    await s.patch(f"{secrets}/c", {"immutable": False})
    await s.post(secrets, {"metadata": {"name": "d"}, "data": {"a b": "dg=="}})


@case()
async def config_map_rules(s: Sitting) -> None:
    maps = s.path("configmaps")
    await s.post(maps, config("a", {"a b": "c"}))
    await s.post(maps, config("b", {"k": 1}))
    await s.post(maps, {**config("c", {"k": "v"}), "binaryData": {"k": "dg=="}})
    await s.post(maps, {**config("d", {"k": "v"}), "immutable": True})
    await s.patch(f"{maps}/d", {"data": {"k": "w"}})
    await s.post(maps, config("e", {"k": "x" * 1_048_577}))


@case()
async def body_that_is_too_large(s: Sitting) -> None:
    await s.post(s.path("configmaps"), config("a", {"k": "x" * 3_200_000}))


@case()
async def field_managers(s: Sitting) -> None:
    path = s.path("configmaps")
    await s.post(f"{path}?fieldManager=me", config("a", {"k": "v"}))
    await s.patch(f"{path}/a?fieldManager=you", {"data": {"k": "w", "l": "x"}})
    await s.patch(f"{path}/a?fieldManager=you", {"metadata": {"managedFields": [{}]}})
    await s.patch(f"{path}/a?fieldManager={'x' * 129}", {"data": {"k": "x"}})
    await s.patch(f"{path}/a", {"metadata": {"managedFields": None}})


@case()
async def answers_in_other_forms(s: Sitting) -> None:
    path = s.path("configmaps")
    await s.post(path, config("a", {"k": "v"}))
    await s.do(
        "GET", f"{path}/a", Accept="application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    )
    await s.do(
        "GET",
        f"{path}?fieldSelector=metadata.name=a",
        Accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
    )
    await s.do("GET", f"{path}/a", Accept="text/html")
