"""OpenAPI documents, read by real kubectl."""

import json
from typing import Any

import pytest

from sympozium_local.apiserver import openapi
from sympozium_local.apiserver.builtin import BUILTIN
from sympozium_local.apiserver.resource import ApiResource

RUN = ApiResource("example.com", "v1", "runs", "run", "Run", short_names=("r",), is_builtin=False)
RUN_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "description": "What shall be done.",
            "required": ["task"],
            "properties": {
                "task": {"type": "string", "description": "The task in words."},
                "tools": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}


def served(recorder: Any, group: str, version: str, resources: list[ApiResource]) -> None:
    """Have the recorder answer discovery and OpenAPI for one group and version."""
    root = f"apis/{group}/{version}" if group else f"api/{version}"
    api_version = f"{group}/{version}" if group else version
    entry = {"groupVersion": api_version, "version": version}
    groups = [{"name": group, "versions": [entry], "preferredVersion": entry}] if group else []
    found = [
        {
            "name": one.plural,
            "singularName": one.singular,
            "kind": one.kind,
            "namespaced": True,
            "verbs": ["get", "list"],
        }
        for one in resources
    ]
    recorder.answers = {
        "/api": {"kind": "APIVersions", "versions": [] if group else ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
        f"/{root}": {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": api_version,
            "resources": found,
        },
        "/openapi/v3": openapi.index([(group, version)]),
        f"/openapi/v3/{root}": openapi.document(group, version, resources, {"Run": RUN_SCHEMA}),
    }


def test_kubectl_explains_a_custom_kind(recorder: Any) -> None:
    served(recorder, "example.com", "v1", [RUN])
    text = recorder.kubectl("explain", "runs.spec")
    assert "What shall be done." in text
    assert "task\t<string> -required-" in text
    recursive = recorder.kubectl("explain", "runs", "--recursive")
    assert "tools\t<[]string>" in recursive
    assert "ownerReferences\t<[]OwnerReference>" in recursive


def test_kubectl_explains_a_built_in_kind(recorder: Any) -> None:
    core = [one for one in BUILTIN if one.group == ""]
    served(recorder, "", "v1", core)
    text = recorder.kubectl("explain", "pod.spec.containers")
    assert "name\t<string> -required-" in text
    assert "livenessProbe\t<Probe>" in text


GROUPS = sorted({(one.group, one.version) for one in BUILTIN})


@pytest.mark.parametrize(("group", "version"), GROUPS)
def test_every_reference_in_a_document_leads_somewhere(group: str, version: str) -> None:
    resources = [one for one in BUILTIN if (one.group, one.version) == (group, version)]
    document = openapi.document(group, version, resources, {})
    names = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    text = json.dumps(document)
    assert {part.split('"')[0] for part in text.split('"$ref": "')[1:]} <= names


def test_a_patch_takes_field_validation_so_that_kubectl_leaves_it_to_the_server() -> None:
    paths = openapi.document("example.com", "v1", [RUN], {"Run": RUN_SCHEMA})["paths"]
    patch = paths["/apis/example.com/v1/namespaces/{namespace}/runs/{name}"]["patch"]
    assert "fieldValidation" in {one["name"] for one in patch["parameters"]}
    gvk = {"group": "example.com", "version": "v1", "kind": "Run"}
    assert patch["x-kubernetes-group-version-kind"] == gvk
