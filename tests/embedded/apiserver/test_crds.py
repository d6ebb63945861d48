"""Custom kinds: served at once, checked by their schema, changed while running."""

import copy
from typing import Any

import pytest

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def conditions(obj: dict[str, Any]) -> dict[str, str]:
    return {one["type"]: one["status"] for one in obj["status"]["conditions"]}


async def test_a_definition_is_established_and_served_at_once(api: Any, widget_crd: Any) -> None:
    made = await api.create(CRDS, widget_crd)
    assert conditions(made) == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["acceptedNames"]["singular"] == "widget"
    assert made["status"]["storedVersions"] == ["v1"]
    kinds = await api.get("/apis/example.com/v1")
    assert [one["name"] for one in kinds["resources"]] == [
        "widgets",
        "widgets/scale",
        "widgets/status",
    ]
    groups = await api.get("/apis")
    assert "example.com" in [group["name"] for group in groups["groups"]]


async def test_an_object_gets_the_defaults_of_spec_and_status(api: Any, widgets: str) -> None:
    made = await api.create(
        widgets, {"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Forged"}}
    )
    assert made["spec"] == {"size": 3}
    assert made["status"] == {"phase": "Pending"}


async def test_an_invalid_object_is_refused_in_the_real_servers_words(
    api: Any, widgets: str
) -> None:
    widget = {"metadata": {"name": "x"}, "spec": {"size": "big"}}
    code, status = await api.call("POST", widgets, widget)
    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"] == (
        'Widget.example.com "x" is invalid: spec.size: Invalid value: "string": '
        'spec.size in body must be of type integer: "string"'
    )
    assert status["details"]["kind"] == "Widget"
    assert status["details"]["causes"][0]["field"] == "spec.size"


async def test_names_and_labels_of_custom_objects_are_checked(api: Any, widgets: str) -> None:
    code, status = await api.call("POST", widgets, {"metadata": {"name": "Not_A_Name"}})
    assert code == 422
    assert "a lowercase RFC 1123 subdomain must consist of" in status["message"]
    labelled = {"metadata": {"name": "a", "labels": {"x": "not a value"}}}
    assert (await api.call("POST", widgets, labelled))[0] == 422


async def test_a_changed_schema_counts_from_then_on(
    api: Any, widgets: str, widget_crd: Any
) -> None:
    await api.create(widgets, {"metadata": {"name": "old"}})
    spec = copy.deepcopy(widget_crd["spec"])
    properties = spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    properties["properties"]["shape"] = {"type": "string", "default": "round"}
    properties["default"] = {}
    await api.merge(f"{CRDS}/widgets.example.com", {"spec": spec})
    made = await api.create(widgets, {"metadata": {"name": "new"}, "spec": {}})
    assert made["spec"]["shape"] == "round"
    assert (await api.get(f"{widgets}/old"))["spec"]["shape"] == "round"
    listed = await api.get(widgets)
    assert [item["spec"]["shape"] for item in listed["items"]] == ["round", "round"]


async def test_fields_that_become_selectable_select_older_objects_too(
    api: Any, widgets: str, widget_crd: Any
) -> None:
    await api.create(widgets, {"metadata": {"name": "old"}, "spec": {"size": 7}})
    spec = copy.deepcopy(widget_crd["spec"])
    spec["versions"][0]["selectableFields"] = [{"jsonPath": ".spec.size"}]
    await api.merge(f"{CRDS}/widgets.example.com", {"spec": spec})
    listed = await api.get(f"{widgets}?fieldSelector=spec.size=7")
    assert [item["metadata"]["name"] for item in listed["items"]] == ["old"]


async def test_one_object_is_served_in_all_versions(api: Any, widget_crd: Any) -> None:
    second = copy.deepcopy(widget_crd["spec"]["versions"][0])
    widget_crd["spec"]["versions"].append(second | {"name": "v2", "storage": False})
    await api.create(CRDS, widget_crd)
    first, other = (
        f"/apis/example.com/{version}/namespaces/default/widgets" for version in ("v1", "v2")
    )
    made = await api.create(other, {"metadata": {"name": "a"}, "spec": {"color": "red"}})
    assert made["apiVersion"] == "example.com/v2"
    read = await api.get(f"{first}/a")
    assert (read["apiVersion"], read["spec"]["color"]) == ("example.com/v1", "red")
    async with api.watch(other) as watch:
        assert (await watch.next())[1]["apiVersion"] == "example.com/v2"
        await api.merge(f"{first}/a", {"spec": {"color": "blue"}})
        assert (await watch.next())[1]["apiVersion"] == "example.com/v2"


async def test_a_kind_whose_name_is_taken_is_not_served(api: Any, widget_crd: Any) -> None:
    other = copy.deepcopy(widget_crd)
    await api.create(CRDS, widget_crd)
    other["metadata"]["name"] = "things.example.com"
    other["spec"]["names"]["plural"] = "things"
    made = await api.create(CRDS, other)
    assert conditions(made) == {"NamesAccepted": "False", "Established": "False"}
    assert (await api.call("GET", "/apis/example.com/v1/things"))[0] == 404


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"group": "other.com"}, 'must be spec.names.plural+"."+spec.group'),
        ({"scope": "Everywhere"}, "spec.scope: Unsupported value"),
        ({"versions": []}, "spec.versions: Required value"),
        ({"conversion": {"strategy": "Webhook"}}, "conversion by webhook is not served"),
    ],
)
async def test_a_definition_that_makes_no_sense_is_refused(
    api: Any, widget_crd: Any, change: dict[str, Any], complaint: str
) -> None:
    widget_crd["spec"] |= change
    code, status = await api.call("POST", CRDS, widget_crd)
    assert code == 422
    assert complaint in status["message"]


async def test_a_rule_that_cannot_be_read_makes_the_definition_invalid(
    api: Any, widget_crd: Any
) -> None:
    schema = widget_crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rule = {"rule": "self.size >>> 3"}
    schema["properties"]["spec"]["x-kubernetes-validations"] = [rule]
    code, status = await api.call("POST", CRDS, widget_crd)
    assert code == 422
    assert "spec.versions[0].schema.openAPIV3Schema" in status["message"]


async def test_kinds_that_nothing_acts_on_say_so(api: Any) -> None:
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}}}
    path = "/api/v1/namespaces/default/resourcequotas"
    url = api.endpoint.url + path
    async with api.session.post(url, json=quota, headers=api.headers(None)) as answer:
        assert answer.status == 201
        assert "its quota is not enforced here" in answer.headers["Warning"]
