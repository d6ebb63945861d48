"""CustomResourceDefinitions, made from the types of this package.

The types are the source; the YAML in the chart is generated from here, so a
field cannot be documented, validated and read in three different ways.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from sympozium.contract.agent import AgentSpec, AgentStatus
from sympozium.contract.agentrun import AgentRunSpec, AgentRunStatus
from sympozium.contract.channel import BOTS, PLATFORMS, ChannelSpec, ChannelStatus
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    GROUP,
    Object,
    Resource,
)
from sympozium.contract.schema import RULES_KEY, UNSUPPORTED_KEY, KubeModel


@dataclass(frozen=True)
class Definition:
    """What a CRD says beyond its schema."""

    resource: Resource
    spec: type[KubeModel]
    status: type[KubeModel]
    columns: tuple[tuple[str, str, str], ...]
    short_names: tuple[str, ...] = ()
    description: str = ""
    status_default: Object | None = None
    spec_rules: tuple[Object, ...] = ()


_AGE = ("Age", "date", ".metadata.creationTimestamp")

DEFINITIONS = (
    Definition(
        AGENTS,
        AgentSpec,
        AgentStatus,
        (
            ("Model", "string", ".spec.agents.default.model"),
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            _AGE,
        ),
        description="An identity: a model, skills, channels and limits.",
    ),
    Definition(
        AGENT_RUNS,
        AgentRunSpec,
        AgentRunStatus,
        (
            ("Agent", "string", ".spec.agentRef"),
            ("Phase", "string", ".status.phase"),
            ("Reason", "string", ".status.error.reason"),
            ("Waits for", "string", '.status.conditions[?(@.type=="Queued")].reason'),
            ("Task", "string", ".spec.task"),
            _AGE,
        ),
        short_names=("run", "runs"),
        description="One execution of an agent: a task, and its result or the reason for none.",
        status_default={"phase": "Pending"},
    ),
    Definition(
        CHANNELS,
        ChannelSpec,
        ChannelStatus,
        (
            ("Type", "string", ".spec.type"),
            ("Agent", "string", ".spec.agentRef"),
            ("Available", "string", '.status.conditions[?(@.type=="Available")].status'),
            _AGE,
        ),
        description="One bot account on one platform, and the agent that answers there.",
        spec_rules=(
            {
                "rule": f"self.type in {list(PLATFORMS)} || has(self.image)",
                "message": "no channel of this type belongs to the system: name its image",
                "fieldPath": ".image",
                "reason": "FieldValueRequired",
            },
            {
                "rule": f"!(self.type in {list(PLATFORMS)}) || !has(self.settings)",
                "message": "settings are for a platform of one's own; remove them",
                "fieldPath": ".settings",
                "reason": "FieldValueForbidden",
            },
            {
                "rule": f"!(self.type in {list(BOTS)}) || has(self.configRef)",
                "message": "a bot needs its tokens: set configRef.secret to a Secret's name",
                "fieldPath": ".configRef",
                "reason": "FieldValueRequired",
            },
        ),
    ),
)


def definition_objects() -> Iterator[Object]:
    """Yield every CustomResourceDefinition, ready to apply."""
    for definition in DEFINITIONS:
        yield _definition_object(definition)


def _definition_object(definition: Definition) -> Object:
    resource = definition.resource
    singular = resource.kind.lower()
    names: Object = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": singular,
        "categories": ["sympozium"],
    }
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": resource.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _object_schema(definition)},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path}
                        for name, type_, path in definition.columns
                    ],
                }
            ],
        },
    }


def _object_schema(definition: Definition) -> Object:
    status = structural_schema(definition.status)
    spec = structural_schema(definition.spec)
    if definition.spec_rules:
        spec[RULES_KEY] = [*spec.get(RULES_KEY, []), *definition.spec_rules]
    if definition.status_default is not None:
        status["default"] = definition.status_default
    return {
        "type": "object",
        "description": definition.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def structural_schema(model: type[KubeModel]) -> Object:
    """Return the structural OpenAPI v3 schema of *model*, as a CRD wants it.

    References are inlined, `null` alternatives are dropped (an absent field is
    the only way to leave one out), and each `Unsupported` field becomes a rule.
    """
    schema = msgspec.json.schema(model)
    return _structural(schema, schema.get("$defs", {}))


def _structural(schema: Object, definitions: Object) -> Object:
    if "$ref" in schema:
        own = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**definitions[schema["$ref"].rsplit("/", 1)[1]], **own}
    alternatives = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if alternatives:
        own = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
        (only,) = alternatives
        return _structural({**only, **own}, definitions)
    kept = {
        key: value
        for key, value in schema.items()
        if key in {"type", "description", "enum", "default", "pattern", "format", RULES_KEY}
        or key.startswith(("min", "max"))
    }
    if not schema.get("default"):  # the reader's default is the same; stored objects stay short
        kept.pop("default", None)
    if "enum" in kept:
        kept["type"] = "string"
    if schema.get("type") == "array":
        kept["items"] = _structural(schema["items"], definitions)
    if schema.get("type") == "object":
        kept |= _object_parts(schema, definitions)
    return kept


def _object_parts(schema: Object, definitions: Object) -> Object:
    if "properties" not in schema:
        return {"additionalProperties": _structural(schema["additionalProperties"], definitions)}
    properties: Object = {}
    rules: list[Any] = list(schema.get(RULES_KEY, []))
    for name, field in schema["properties"].items():
        if UNSUPPORTED_KEY in field:
            properties[name] = {
                "description": "Not supported yet; an object that sets it is refused.",
                **field[UNSUPPORTED_KEY],
            }
            rules.append(
                {
                    "rule": f"!has(self.{name})",
                    "message": f"{name} is not supported yet; remove it",
                    "fieldPath": f".{name}",
                    "reason": "FieldValueForbidden",
                }
            )
        else:
            properties[name] = _structural(field, definitions)
    parts: Object = {"properties": properties}
    if schema.get("required"):
        parts["required"] = schema["required"]
    if rules:
        parts[RULES_KEY] = rules
    return parts
