from typing import Any

from sympozium.contract.agentrun import AgentRunSpec
from sympozium.contract.crds import definition_objects, structural_schema
from sympozium.contract.resources import Object


def walk(schema: Object) -> list[Object]:
    parts = [schema]
    for child in (*schema.get("properties", {}).values(), schema.get("items")):
        if isinstance(child, dict):
            parts += walk(child)
    return parts


def rules(schema: Object) -> list[dict[str, Any]]:
    return [rule for part in walk(schema) for rule in part.get("x-kubernetes-validations", [])]


def test_every_schema_is_structural() -> None:
    for definition in definition_objects():
        (version,) = definition["spec"]["versions"]
        for part in walk(version["schema"]["openAPIV3Schema"]):
            assert "type" in part
            assert not {"$ref", "anyOf", "oneOf", "title"} & part.keys()


def test_a_field_that_does_nothing_yet_is_refused_by_name() -> None:
    refused = {rule["rule"] for rule in rules(structural_schema(AgentRunSpec))}
    assert {"!has(self.sandbox)", "!has(self.agentSandbox)"} <= refused


def test_a_run_says_pending_from_its_first_moment() -> None:
    (runs,) = [crd for crd in definition_objects() if crd["metadata"]["name"].startswith("agentr")]
    (version,) = runs["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert status["default"] == {"phase": "Pending"}
    assert version["subresources"] == {"status": {}}
