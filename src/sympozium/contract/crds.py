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
from sympozium.contract.channel import ChannelSpec, ChannelStatus
from sympozium.contract.channel_fields import channel_rules
from sympozium.contract.policy import SympoziumPolicySpec
from sympozium.contract.resources import (
    AGENT_RUNS,
    AGENTS,
    CHANNELS,
    GROUP,
    POLICIES,
    SCHEDULES,
    SKILL_PACKS,
    Object,
    Resource,
)
from sympozium.contract.schedule import SympoziumScheduleSpec
from sympozium.contract.schema import PRESERVE_KEY, RULES_KEY, UNSUPPORTED_KEY, KubeModel
from sympozium.contract.skillpack import SkillPackSpec


@dataclass(frozen=True)
class Definition:
    """What a CRD says beyond its schema."""

    resource: Resource
    spec: type[KubeModel]
    status: type[KubeModel] | None
    columns: tuple[tuple[str, str, str], ...]
    wide_columns: tuple[tuple[str, str, str], ...] = ()
    """Shown by `kubectl get -o wide` only: a task may be as long as a table is wide."""
    short_names: tuple[str, ...] = ()
    description: str = ""
    status_default: Object | None = None
    spec_rules: tuple[Object, ...] = ()
    instead: str = ""
    """Of a kind that is not supported yet: what does a similar thing today."""


_AGE = ("Age", "date", ".metadata.creationTimestamp")

DEFINITIONS = (
    Definition(
        AGENTS,
        AgentSpec,
        AgentStatus,
        (
            ("Model", "string", ".spec.agents.default.model"),
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason'),
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
            _AGE,
        ),
        (
            ("Channel", "string", ".spec.source.channel"),
            ("Model", "string", ".status.model"),
            ("Task", "string", ".spec.task"),
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
            ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
            ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason'),
            _AGE,
        ),
        description="One bot account on one platform, and the agent that answers there.",
        spec_rules=channel_rules(),
    ),
    Definition(
        SKILL_PACKS,
        SkillPackSpec,
        None,
        (_AGE,),
        description="Instructions for agents, and a container that carries them out.",
        instead="an Agent can have the built-in skill 'cluster-reader'",
    ),
    Definition(
        POLICIES,
        SympoziumPolicySpec,
        None,
        (_AGE,),
        description="What the agents that name it may do.",
        instead=(
            "spec.access of a Channel says who may speak, and quotas and "
            "ValidatingAdmissionPolicies what may be created"
        ),
    ),
    Definition(
        SCHEDULES,
        SympoziumScheduleSpec,
        None,
        (_AGE,),
        description="A task that an agent is given again and again.",
        instead="a CronJob of one's own can create an AgentRun each time",
    ),
)


def definition_objects() -> Iterator[Object]:
    """Yield every CustomResourceDefinition, ready to apply."""
    for definition in DEFINITIONS:
        yield _definition_object(definition)


def _definition_object(definition: Definition) -> Object:
    resource = definition.resource
    names: Object = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
    }
    if not definition.instead:  # nobody needs the right to list what cannot be there
        names["categories"] = ["sympozium"]
    if definition.short_names:
        names["shortNames"] = list(definition.short_names)
    version: Object = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object_schema(definition)},
    }
    if definition.status is not None:
        version["subresources"] = {"status": {}}
    version["additionalPrinterColumns"] = [
        *(_column(*column) for column in definition.columns),
        *(_column(*column) | {"priority": 1} for column in definition.wide_columns),
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _column(name: str, type_: str, path: str) -> Object:
    return {"name": name, "type": type_, "jsonPath": path}


def _object_schema(definition: Definition) -> Object:
    spec = structural_schema(definition.spec)
    if definition.spec_rules:
        spec[RULES_KEY] = [*spec.get(RULES_KEY, []), *definition.spec_rules]
    properties: Object = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
    }
    if definition.status is not None:
        properties["status"] = structural_schema(definition.status)
        if definition.status_default is not None:
            properties["status"]["default"] = definition.status_default
    schema: Object = {
        "type": "object",
        "description": definition.description,
        "required": ["spec"],
        "properties": properties,
    }
    if definition.instead:
        kind = definition.resource.kind
        _refuse_all(schema, f"{kind} is not supported yet; today {definition.instead}")
    return schema


def _refuse_all(schema: Object, sentence: str) -> None:
    """Make a kind's *schema* refuse every object with *sentence*, and each field by name.

    What the schema does not know, or misses, gets as far as these rules: "unknown field"
    would have people look for a typing error.
    """
    spec = schema["properties"]["spec"]
    spec[RULES_KEY] = [
        _refusal(name, f"!has(self.{name})", f"{name} is not supported yet")
        for name in spec["properties"]
    ]
    schema[RULES_KEY] = [_refusal("spec", "false", sentence)]
    for part in (schema, spec):
        part["description"] = f"{part['description']} {sentence}."
    del schema["required"]
    _keep_unknown_fields(schema)


def _keep_unknown_fields(schema: Object) -> None:
    if "properties" in schema:
        schema[PRESERVE_KEY] = True
        for child in schema["properties"].values():
            _keep_unknown_fields(child)
    if "items" in schema:
        _keep_unknown_fields(schema["items"])


def _refusal(field: str, rule: str, message: str) -> Object:
    return {
        "rule": rule,
        "message": message,
        "fieldPath": f".{field}",
        "reason": "FieldValueForbidden",
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
            message = f"{name} is not supported yet; remove it"
            rules.append(_refusal(name, f"!has(self.{name})", message))
        else:
            properties[name] = _structural(field, definitions)
    parts: Object = {"properties": properties}
    if schema.get("required"):
        parts["required"] = schema["required"]
    if rules:
        parts[RULES_KEY] = rules
    return parts
