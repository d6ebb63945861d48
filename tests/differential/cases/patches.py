"""JSON patch, merge patch and strategic merge patch."""

from typing import Any

from tests.differential.case import MERGE, PATCH, STRATEGIC, Object, Sitting, case
from tests.differential.cases.objects import config, widget
from tests.differential.kinds import V1


def deployment(name: str, **spec: object) -> Object:
    """Return a Deployment that makes no pods."""
    container = {
        "name": "main",
        "image": "example/a:1",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 80}],
    }
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [container]}},
            **spec,
        },
    }


@case()
async def merge_patch(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(s.path("configmaps"), config("a", {"k": "v", "l": "w"}, labels={"x": "y"}))
    await s.patch(path, {"data": {"k": None, "m": "n"}, "metadata": {"labels": None}})
    await s.patch(path, {"data": None})
    await s.patch(path, [])
    await s.patch(path, {"kind": "Secret"})
    await s.patch(path, {"metadata": {"name": "b"}})
    await s.patch(path, {"metadata": {"resourceVersion": "1"}})
    await s.patch(path, {"data": {"k": 1}})


@case()
async def merge_patch_replaces_lists(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"words": ["a", "b"], "labels": {"k": "v"}}))
    await s.patch(path, {"spec": {"words": ["c"], "labels": {"k": None, "m": "n"}}})
    await s.patch(path, {"spec": None})


@case()
async def json_patch(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"words": ["a", "b"], "size": 1}))
    for operation in (
        {"op": "test", "path": "/spec/size", "value": 1},
        {"op": "replace", "path": "/spec/size", "value": 2},
        {"op": "add", "path": "/spec/words/-", "value": "c"},
        {"op": "remove", "path": "/spec/words/0"},
        {"op": "copy", "from": "/spec/words/0", "path": "/spec/code"},
        {"op": "move", "from": "/spec/code", "path": "/spec/either"},
        {"op": "add", "path": "/metadata/labels", "value": {"a~b": "c"}},
        {"op": "remove", "path": "/metadata/labels/a~0b"},
    ):
        await s.patch(path, [operation], PATCH)


@case()
async def json_patch_that_fails(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(s.path("configmaps"), config("a", {"k": "v"}))
    for operations in (
        [{"op": "test", "path": "/data/k", "value": "w"}],
        [{"op": "replace", "path": "/data/nothing", "value": "w"}],
        [{"op": "remove", "path": "/data/nothing"}],
        [{"op": "add", "path": "/nothing/at/all", "value": "w"}],
        [{"op": "jump", "path": "/data/k"}],
        {"data": {"k": "w"}},
        [{"op": "replace", "path": "/metadata/name", "value": "b"}],
        [7],
    ):
        await s.patch(path, operations, PATCH)


@case()
async def json_patch_is_all_or_nothing(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(s.path("configmaps"), config("a", {"k": "v"}))
    await s.patch(
        path,
        [
            {"op": "replace", "path": "/data/k", "value": "w"},
            {"op": "test", "path": "/data/k", "value": "v"},
        ],
        PATCH,
    )
    await s.get(path)


@case()
async def strategic_merge_by_key(s: Sitting) -> None:
    path = s.path("deployments", "apps/v1") + "/a"
    s.normal.counts_versions = False
    await s.post(s.path("deployments", "apps/v1") + "?dryRun=All", deployment("a"))
    await s.post(s.path("deployments", "apps/v1"), deployment("a", paused=True))
    patches: list[Object] = [
        {"containers": [{"name": "main", "env": [{"name": "C", "value": "3"}]}]},
        {"containers": [{"name": "main", "env": [{"name": "A", "$patch": "delete"}]}]},
        {"containers": [{"name": "side", "image": "example/b:1"}]},
        {"containers": [{"name": "side", "$patch": "delete"}]},
        {
            "containers": [
                {"name": "main", "env": [{"$patch": "replace"}, {"name": "D", "value": "4"}]}
            ]
        },
        {
            "$setElementOrder/containers": [{"name": "new"}, {"name": "main"}],
            "containers": [{"name": "new", "image": "example/c:1"}],
        },
        {"containers": [{"image": "example/nameless:1"}]},
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {
            "volumes": [
                {"$retainKeys": ["name", "configMap"], "name": "v", "configMap": {"name": "c"}}
            ]
        },
        {"nodeSelector": {"a": "b", "$patch": "replace"}},
    ]
    for patch in patches:
        await s.ask(
            "PATCH", path, {"spec": {"template": {"spec": patch}}}, **{"Content-Type": STRATEGIC}
        )
        answer = (await s.ask("GET", path))[2]
        s.say(f"after {patch}", answer["spec"]["template"]["spec"])


@case()
async def strategic_merge_of_primitive_lists(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(s.path("configmaps"), config("a", finalizers=["example.com/a", "example.com/b"]))
    await s.patch(path, {"metadata": {"finalizers": ["example.com/c"]}}, STRATEGIC)
    gone = {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}
    await s.patch(path, {"metadata": gone}, STRATEGIC)
    order = {"$setElementOrder/finalizers": ["example.com/c", "example.com/b"]}
    await s.patch(path, {"metadata": order}, STRATEGIC)
    await s.patch(path, {"metadata": {"finalizers": None}}, STRATEGIC)


@case()
async def strategic_merge_of_maps(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    await s.post(s.path("configmaps"), config("a", {"k": "v", "l": "w"}))
    await s.patch(path, {"data": {"k": None}}, STRATEGIC)
    await s.patch(path, {"data": {"m": "n", "$patch": "replace"}}, STRATEGIC)
    await s.patch(path, {"data": {"$patch": "delete"}}, STRATEGIC)
    await s.patch(path, {"data": {"$patch": "merge"}}, STRATEGIC)
    await s.patch(path, {"data": {"$patch": "other"}}, STRATEGIC)
    await s.patch(path, {"data": {"k": 7}}, STRATEGIC)


@case()
async def strategic_merge_of_a_custom_object(s: Sitting) -> None:
    await s.post(s.path("widgets", V1), widget("a"))
    await s.patch(s.path("widgets", V1) + "/a", {"spec": {"size": 4}}, STRATEGIC)


@case()
async def strategic_merge_of_conditions(s: Sitting) -> None:
    pods = s.path("pods")
    s.normal.counts_versions = False
    gate = {
        "schedulingGates": [{"name": "example.com/no"}],
        "containers": [{"name": "m", "image": "a:1"}],
    }
    await s.ask("POST", pods, {"metadata": {"name": "a"}, "spec": gate})
    for condition in ({"type": "Mine", "status": "True"}, {"type": "Mine", "status": "False"}):
        await s.patch(f"{pods}/a/status", {"status": {"conditions": [condition]}}, STRATEGIC)


@case()
async def patch_with_a_version(s: Sitting) -> None:
    path = s.path("configmaps") + "/a"
    made = await s.post(s.path("configmaps"), config("a", {"k": "v"}))
    version = made["metadata"]["resourceVersion"]
    for kind in (MERGE, STRATEGIC):
        body: Any = {"metadata": {"resourceVersion": version}, "data": {"k": kind}}
        await s.patch(path, body, kind)
    await s.patch(path, {"metadata": {"uid": "another"}}, MERGE)


@case()
async def patch_of_status(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"size": 1}))
    both = {"spec": {"size": 2}, "status": {"phase": "Done"}, "metadata": {"labels": {"x": "y"}}}
    await s.patch(f"{path}/status", both)
    await s.patch(path, both)
    await s.patch(f"{path}/status", [{"op": "remove", "path": "/status/phase"}], PATCH)
    await s.patch(f"{path}/status", {"status": {"phase": 7}})


@case()
async def patch_that_breaks_a_rule(s: Sitting) -> None:
    path = s.path("widgets", V1) + "/a"
    await s.post(s.path("widgets", V1), widget("a", {"size": 1}))
    await s.patch(path, {"spec": {"size": 101}})
    await s.patch(path, [{"op": "add", "path": "/spec/color", "value": "green"}], PATCH)
    await s.patch(f"{path}?fieldValidation=Strict", {"spec": {"colour": "red"}})
    await s.patch(path, {"spec": {"colour": "red"}})
