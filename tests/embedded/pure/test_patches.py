"""Patches of all kinds, by the laws they follow."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium_local.apiserver.builtin import BUILTIN
from sympozium_local.apiserver.patches import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    PatchError,
    apply_patch,
)
from sympozium_local.apiserver.resource import ApiResource

PODS = next(one for one in BUILTIN if one.storage_key == "pods")
CUSTOM = ApiResource("example.com", "v1", "things", "thing", "Thing", is_builtin=False)

scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=10,
)
objects = st.dictionaries(st.text("abc", min_size=1), values, max_size=4)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def merge(current: Any, patch: Any) -> Any:
    return apply_patch(MERGE_PATCH, current, patch, resource=CUSTOM)


def strategic(current: Any, patch: Any) -> Any:
    return apply_patch(STRATEGIC_MERGE_PATCH, current, patch, resource=PODS)


@given(current=objects, patch=objects)
def test_a_merge_patch_applied_twice_is_applied_once(current: Any, patch: Any) -> None:
    once = merge(current, patch)
    assert merge(once, patch) == once


@given(patch=objects)
def test_a_merge_patch_on_nothing_is_the_patch_without_its_deletions(patch: Any) -> None:
    assert merge({}, patch) == without_nulls(patch)


@given(current=objects, patch=objects)
def test_neither_the_object_nor_the_patch_is_changed(current: Any, patch: Any) -> None:
    before = deepcopy((current, patch))
    merge(current, patch)
    strategic(current, patch)
    assert (current, patch) == before


@given(current=objects, patch=objects)
def test_an_unknown_field_is_merged_alike_by_both_merge_patches(current: Any, patch: Any) -> None:
    current = {"x": without_nulls(current)}
    assert strategic(current, {"x": patch}) == merge(current, {"x": patch})


def test_the_outcome_shares_nothing_with_the_object() -> None:
    current: dict[str, Any] = {"a": {"b": []}}
    merge(current, {"c": 1})["a"]["b"].append(1)
    apply_patch(JSON_PATCH, current, [], resource=CUSTOM)["a"]["b"].append(1)
    assert current == {"a": {"b": []}}


def test_a_json_patch_runs_its_operations_in_order() -> None:
    operations = [
        {"op": "test", "path": "/a", "value": 1},
        {"op": "add", "path": "/b", "value": [1]},
        {"op": "add", "path": "/b/-", "value": 2},
        {"op": "remove", "path": "/a"},
    ]
    assert apply_patch(JSON_PATCH, {"a": 1}, operations, resource=CUSTOM) == {"b": [1, 2]}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"op": "add"}, 400),
        ([{"op": "jump", "path": "/a"}], 422),
        (["add"], 400),
        ([{"op": "remove", "path": "/missing"}], 422),
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "replace", "path": "", "value": 3}], 422),
    ],
)
def test_a_json_patch_that_cannot_be_applied_says_whose_fault_it_is(body: Any, status: int) -> None:
    with pytest.raises(PatchError) as caught:
        apply_patch(JSON_PATCH, {"a": 1}, body, resource=CUSTOM)
    assert caught.value.status == status


def test_custom_kinds_take_no_strategic_patches() -> None:
    with pytest.raises(PatchError, match="accepted media types include") as caught:
        apply_patch(STRATEGIC_MERGE_PATCH, {}, {}, resource=CUSTOM)
    assert caught.value.status == 415


def pod(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


def test_containers_are_merged_by_name() -> None:
    current = pod({"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"})
    patch = pod({"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]}, {"name": "c"})
    assert strategic(current, patch)["spec"]["containers"] == [
        {
            "name": "a",
            "image": "2",
            "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}],
        },
        {"name": "c"},
        {"name": "b"},
    ]


def test_a_delete_directive_removes_the_item_with_that_key() -> None:
    patch = pod({"name": "a", "$patch": "delete"}, {"name": "never-there", "$patch": "delete"})
    assert strategic(pod({"name": "a"}, {"name": "b"}), patch) == pod({"name": "b"})


def test_a_replace_directive_replaces_a_list_or_a_map() -> None:
    patch = pod({"$patch": "replace"}, {"name": "z"})
    assert strategic(pod({"name": "a"}), patch) == pod({"name": "z"})
    labels = {"metadata": {"labels": {"a": "1"}}}
    replaced = {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}
    assert strategic(labels, replaced) == {"metadata": {"labels": {"b": "2"}}}


def test_the_order_of_items_is_the_one_asked_for() -> None:
    current = pod({"name": "a"}, {"name": "other"}, {"name": "b"})
    patch = pod({"name": "b"}, {"name": "new"})
    patch["spec"]["$setElementOrder/containers"] = [{"name": "b"}, {"name": "new"}, {"name": "a"}]
    names = [one["name"] for one in strategic(current, patch)["spec"]["containers"]]
    assert [name for name in names if name != "other"] == ["b", "new", "a"]
    assert "other" in names


def test_a_change_of_volume_type_keeps_only_what_is_retained() -> None:
    current = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    volume = {"name": "v", "configMap": {"name": "c"}, "$retainKeys": ["name", "configMap"]}
    patched = strategic(current, {"spec": {"volumes": [volume]}})
    assert patched["spec"]["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


def test_finalizers_are_added_and_deleted_one_by_one() -> None:
    current = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["b", "c"]}}
    assert strategic(current, patch) == {"metadata": {"finalizers": ["b", "c"]}}


def test_a_list_without_a_merge_key_is_replaced() -> None:
    current = {"spec": {"tolerations": [{"key": "a"}, {"key": "b"}]}}
    patch = {"spec": {"tolerations": [{"key": "c"}]}}
    assert strategic(current, patch) == patch


@pytest.mark.parametrize("patch", [pod({"image": "x"}), {"spec": {"$patch": "explode"}}])
def test_a_strategic_patch_that_breaks_the_rules_is_a_bad_request(patch: Any) -> None:
    with pytest.raises(PatchError) as caught:
        strategic(pod({"name": "a"}), patch)
    assert caught.value.status == 400
