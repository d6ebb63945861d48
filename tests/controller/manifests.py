"""The chart's manifests of rights, and what they give."""

import yaml

from sympozium.contract.resources import Object
from tests.controller.cluster import RBAC

Right = tuple[str, str, str]
"""(API group, resource, verb)."""


def documents(manifest: str = "*") -> list[Object]:
    """Return the objects of one manifest, or of all."""
    files = sorted(RBAC.glob(f"{manifest}.yaml"))
    assert files, f"there is no {manifest}.yaml"
    return [one for file in files for one in yaml.safe_load_all(file.read_text()) if one]


def rights_of(rules: list[Object]) -> set[Right]:
    """Return every right that *rules* give."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
