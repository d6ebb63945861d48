"""Who owns which field, and who wins."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium_local.apiserver.schema import CompiledSchema
from sympozium_local.apiserver.serverside import ApplyConflictError, apply, track_update

Object = dict[str, Any]


def deployment(**spec: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": spec}


def pod_spec(*containers: Object) -> Object:
    return {"spec": {"containers": list(containers)}}


def owned(obj: Object, manager: str) -> Any:
    entries = obj["metadata"].get("managedFields", [])
    return next((one["fieldsV1"] for one in entries if one["manager"] == manager), None)


def test_what_is_applied_is_owned_field_by_field_and_item_by_item() -> None:
    applied = apply(
        None,
        deployment(replicas=1, template=pod_spec({"name": "a", "image": "x"})),
        manager="me",
        force=False,
        now="t",
    )
    assert owned(applied, "me") == {
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"a"}': {".": {}, "f:image": {}, "f:name": {}},
                    }
                }
            },
        }
    }
    assert applied["metadata"]["managedFields"][0]["operation"] == "Apply"


def test_a_create_is_owned_as_the_real_server_says() -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": {"app": "web"}},
        "spec": {
            "containers": [{"name": "a", "ports": [{"containerPort": 80}], "resources": {}}],
            "tolerations": [{"key": "x"}],
            "nodeSelector": {"a": "b"},
        },
    }
    tracked = track_update(None, pod, manager="kubectl-create", now="t")
    assert owned(tracked, "kubectl-create") == {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:spec": {
            "f:containers": {
                'k:{"name":"a"}': {
                    ".": {},
                    "f:name": {},
                    "f:ports": {
                        ".": {},
                        'k:{"containerPort":80,"protocol":"TCP"}': {
                            ".": {},
                            "f:containerPort": {},
                        },
                    },
                    "f:resources": {},
                }
            },
            "f:nodeSelector": {},
            "f:tolerations": {},
        },
    }


def test_changing_what_someone_else_applied_is_a_conflict() -> None:
    first = apply(None, deployment(replicas=1), manager="one", force=False, now="t")
    with pytest.raises(ApplyConflictError) as caught:
        apply(first, deployment(replicas=2), manager="two", force=False, now="t")
    message = 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'
    assert str(caught.value) == message
    assert [one.field for one in caught.value.conflicts] == [".spec.replicas"]


def test_a_conflict_with_an_update_says_by_which_version() -> None:
    made = track_update(None, deployment(replicas=1), manager="edit", now="2026-01-01T00:00:00Z")
    with pytest.raises(ApplyConflictError, match=r'"edit" using apps/v1: .spec'):
        apply(made, deployment(replicas=2), manager="two", force=False, now="t")


def test_saying_the_same_as_another_owner_is_shared_ownership() -> None:
    first = apply(None, deployment(replicas=1), manager="one", force=False, now="t")
    both = apply(first, deployment(replicas=1), manager="two", force=False, now="t")
    assert owned(both, "one") == owned(both, "two") == {"f:spec": {"f:replicas": {}}}
    left = apply(both, deployment(), manager="two", force=False, now="t")
    assert left["spec"]["replicas"] == 1


def test_force_takes_the_field_from_its_owner() -> None:
    first = apply(None, deployment(replicas=1, paused=True), manager="one", force=False, now="t")
    forced = apply(first, deployment(replicas=2), manager="two", force=True, now="t")
    assert forced["spec"] == {"replicas": 2, "paused": True}
    assert owned(forced, "one") == {"f:spec": {"f:paused": {}}}


def test_what_an_owner_leaves_out_is_removed() -> None:
    template = pod_spec({"name": "a", "image": "x"}, {"name": "b", "image": "x"})
    wanted = deployment(replicas=1, template=template)
    wanted["metadata"]["labels"] = {"a": "1"}
    first = apply(None, wanted, manager="me", force=False, now="t")
    less = deployment(template=pod_spec({"name": "a", "image": "x"}))
    second = apply(first, less, manager="me", force=False, now="t")
    assert second["spec"] == less["spec"]
    assert "labels" not in second["metadata"]


def test_what_others_wrote_stays_when_an_owner_leaves_it_out() -> None:
    first = apply(None, deployment(replicas=1), manager="me", force=False, now="t")
    changed = deepcopy(first)
    changed["spec"]["replicas"] = 5
    scaled = track_update(first, changed, manager="scaler", now="t")
    after = apply(scaled, deployment(), manager="me", force=False, now="t")
    assert after["spec"] == {"replicas": 5}


def test_an_update_takes_fields_over_and_gives_up_those_it_removes() -> None:
    first = apply(None, deployment(replicas=1, paused=True), manager="me", force=False, now="t")
    changed = deepcopy(first)
    changed["spec"] = {"replicas": 2}
    updated = track_update(first, changed, manager="edit", now="u")
    assert owned(updated, "me") is None
    assert owned(updated, "edit") == {"f:spec": {"f:replicas": {}}}


def test_an_update_that_changes_nothing_keeps_the_owners_as_they_are() -> None:
    first = track_update(None, deployment(replicas=1), manager="one", now="t")
    again = deepcopy(first)
    again["metadata"].pop("managedFields")
    tracked = track_update(first, again, manager="two", now="u")
    assert tracked["metadata"]["managedFields"] == first["metadata"]["managedFields"]


def test_a_status_has_owners_of_its_own() -> None:
    first = track_update(None, deployment(replicas=1), manager="m", now="t")
    changed = {**deepcopy(first), "status": {"replicas": 1}}
    tracked = track_update(first, changed, manager="m", now="t", subresource="status")
    entries = tracked["metadata"]["managedFields"]
    assert [(one.get("subresource"), one["fieldsV1"]) for one in entries] == [
        (None, {"f:spec": {"f:replicas": {}}}),
        ("status", {"f:status": {"f:replicas": {}}}),
    ]


def test_the_number_of_updaters_on_record_is_limited() -> None:
    obj = deployment()
    for number in range(15):
        changed = deepcopy(obj)
        changed["metadata"].setdefault("labels", {})[f"l{number}"] = "x"
        obj = track_update(obj, changed, manager=f"m{number:02}", now=f"t{number:02}")
    entries = obj["metadata"]["managedFields"]
    assert len(entries) == 10
    assert "ancient-changes" in {one["manager"] for one in entries}


def test_a_list_of_a_custom_kind_is_owned_as_its_schema_says() -> None:
    item = {"type": "object", "properties": {"name": {"type": "string"}}}
    keyed = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    }
    spec = {"type": "object", "properties": {"keyed": keyed, "plain": {**keyed}}}
    del spec["properties"]["plain"]["x-kubernetes-list-type"]  # type: ignore[index] # known above
    schema = CompiledSchema({"type": "object", "properties": {"spec": spec}})
    items = [{"name": "a"}]
    thing = {"apiVersion": "e/v1", "kind": "T", "metadata": {"name": "t"}}
    thing["spec"] = {"keyed": items, "plain": items}
    applied = apply(None, thing, manager="m", force=False, now="t", shape=schema.shape)
    assert owned(applied, "m")["f:spec"] == {
        "f:keyed": {'k:{"name":"a"}': {".": {}, "f:name": {}}},
        "f:plain": {},
    }


values = st.recursive(
    st.integers(0, 3) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("xyz"), inner, max_size=3),
    max_leaves=8,
)
specs = st.dictionaries(st.sampled_from("pqrs"), values, max_size=4)


def thing(spec: Any) -> Object:
    return {"apiVersion": "e/v1", "kind": "T", "metadata": {"name": "t"}, "spec": deepcopy(spec)}


@given(first=specs, second=specs)
def test_applying_twice_is_applying_once(first: Any, second: Any) -> None:
    current = apply(None, thing(first), manager="a", force=False, now="t")
    once = apply(current, thing(second), manager="b", force=True, now="t")
    assert apply(once, thing(second), manager="b", force=False, now="u") == once


@given(first=specs, second=specs)
def test_the_only_owner_gets_exactly_what_it_applies(first: Any, second: Any) -> None:
    current = apply(None, thing({"fixed": 1, **first}), manager="a", force=False, now="t")
    after = apply(current, thing({"fixed": 1, **second}), manager="a", force=False, now="t")
    after["metadata"].pop("managedFields")
    assert after == thing({"fixed": 1, **second})


@given(first=specs, second=specs)
def test_an_update_never_changes_the_object_itself(first: Any, second: Any) -> None:
    old = track_update(None, thing(first), manager="a", now="t")
    new = track_update(old, thing(second), manager="b", now="u")
    new["metadata"].pop("managedFields", None)
    assert new == thing(second)


@given(spec=specs)
def test_who_owned_everything_owns_nothing_once_all_is_gone(spec: Any) -> None:
    old = track_update(None, thing(spec), manager="a", now="t")
    new = track_update(old, {**thing({}), "spec": None}, manager="b", now="u")
    assert owned(new, "a") is None
