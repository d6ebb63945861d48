"""Kinds of which nothing works yet: known, so that their manifests are answered, and refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from sympozium.contract.crds import definition_objects
from sympozium.contract.resources import POLICIES, SCHEDULES, SKILL_PACKS, Resource
from sympozium.kube.client import object_path

SAMPLES = Path(__file__).parents[2] / "differential/samples"
OLDER = [yaml.safe_load(path.read_text()) for path in sorted(SAMPLES.glob("s*.yaml"))]
KINDS = {one.kind: one for one in (SKILL_PACKS, POLICIES, SCHEDULES)}
INSTEAD = {
    "SkillPack": "'cluster-reader'",
    "SympoziumPolicy": "spec.access of a Channel",
    "SympoziumSchedule": "a CronJob",
}


@pytest.fixture
async def ours(api: Any) -> Any:
    """Return a client of a server that knows our kinds."""
    for definition in definition_objects():
        await api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    return api


async def refusals(api: Any, kind: Resource, obj: dict[str, Any]) -> dict[str, str]:
    """Return what is said of *obj*, by field, when it is created as kubectl does."""
    head = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "one"}}
    path = f"{object_path(kind, 'default')}?fieldValidation=Strict"
    status, answer = await api.call("POST", path, head | obj)
    assert (status, answer["reason"]) == (422, "Invalid"), answer
    return {one["field"]: one["message"] for one in answer["details"]["causes"]}


@pytest.mark.parametrize("sample", OLDER, ids=lambda sample: str(sample["metadata"]["name"]))
async def test_a_manifest_is_refused_with_each_of_its_fields(
    ours: Any, sample: dict[str, Any]
) -> None:
    said = await refusals(ours, KINDS[sample["kind"]], {"spec": sample["spec"]})
    assert said.keys() == {"spec", *(f"spec.{field}" for field in sample["spec"])}
    assert all("is not supported yet" in message for message in said.values())


@pytest.mark.parametrize("obj", [{}, {"spec": {}}, {"spec": {"no": {"such": 1}}, "status": {}}])
@pytest.mark.parametrize("kind", KINDS)
async def test_what_sets_no_known_field_is_told_what_there_is_today(
    ours: Any, kind: str, obj: dict[str, Any]
) -> None:
    said = await refusals(ours, KINDS[kind], obj)
    assert said.keys() == {"spec"}
    assert f"{kind} is not supported yet; today" in said["spec"]
    assert INSTEAD[kind] in said["spec"]


async def test_fields_below_that_nobody_knows_do_not_hide_the_answer(ours: Any) -> None:
    newer = {"sidecar": {"image": "i", "secretRef": "s"}, "skills": [{"name": "n", "level": 3}]}
    said = await refusals(ours, SKILL_PACKS, {"spec": newer})
    assert said.keys() == {"spec", "spec.sidecar", "spec.skills"}
