"""Custom kinds of the test, which use all that a schema can say."""

from typing import Any

GROUP = "diff.example.com"
V1 = f"{GROUP}/v1"
V1BETA1 = f"{GROUP}/v1beta1"
BARE = f"{GROUP}/v1"


def _string(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


_ITEM = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _string(),
        "weight": {"type": "integer", "default": 1},
        "note": _string(),
    },
}

_SPEC = {
    "type": "object",
    "description": "What is wished for.",
    "properties": {
        "size": {"type": "integer", "default": 3, "minimum": 0, "maximum": 100},
        "replicas": {"type": "integer", "format": "int32"},
        "color": _string(enum=["red", "blue"], description="Of the outside."),
        "ratio": {"type": "number", "multipleOf": 0.5},
        "code": _string(pattern="^[a-z]+$", minLength=2, maxLength=5),
        "when": _string(format="date-time"),
        "flag": {"type": "boolean"},
        "maybe": _string(nullable=True),
        "words": {"type": "array", "maxItems": 3, "items": _string()},
        "unique": {"type": "array", "x-kubernetes-list-type": "set", "items": _string()},
        "atoms": {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {"type": "object", "properties": {"k": _string(), "v": _string()}},
        },
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "maxItems": 10,
            "items": _ITEM,
        },
        "labels": {"type": "object", "additionalProperties": _string(), "maxProperties": 2},
        "block": {
            "type": "object",
            "x-kubernetes-map-type": "atomic",
            "properties": {"x": _string(), "y": _string()},
        },
        "nested": {
            "type": "object",
            "default": {},
            "properties": {"depth": {"type": "integer", "default": 7}, "text": _string()},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "port": {"x-kubernetes-int-or-string": True},
        "embedded": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "mode": {
            **_string(default="open"),
            "x-kubernetes-validations": [
                {"rule": "self != 'shut'", "message": "shut is not a mode"},
                {
                    "rule": "self == oldSelf",
                    "message": "mode is for good",
                    "reason": "FieldValueForbidden",
                },
            ],
        },
        "low": {"type": "integer"},
        "high": {"type": "integer"},
        "either": _string(),
        "other": _string(maxLength=20),
    },
    "oneOf": [{"required": ["either"]}, {"not": {"required": ["either"]}}],
    "x-kubernetes-validations": [
        {
            "rule": "!has(self.low) || !has(self.high) || self.low <= self.high",
            "messageExpression": "has(self.code) ? 'low is above high in ' + self.code : ''",
            "message": "low is above high",
            "fieldPath": ".low",
        },
        {"rule": "!has(self.other) || self.other.startsWith('o')"},
        {
            "rule": "!has(self.parts) || self.parts.all(p, p.weight >= 0)",
            "message": "weights are not negative",
        },
        {
            "rule": "!has(oldSelf.low) || has(self.low)",
            "message": "low stays once it is there",
        },
    ],
}

_STATUS = {
    "type": "object",
    "properties": {
        "phase": _string(),
        "replicas": {"type": "integer"},
        "selector": _string(),
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type", "status"],
                "properties": {
                    "type": _string(),
                    "status": _string(enum=["True", "False", "Unknown"]),
                    "reason": _string(),
                    "lastTransitionTime": _string(format="date-time"),
                },
            },
        },
    },
}

_SCHEMA = {
    "openAPIV3Schema": {
        "type": "object",
        "description": "A thing to try all rules on.",
        "properties": {"spec": _SPEC, "status": _STATUS},
    }
}


def _version(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "served": True,
        "storage": False,
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "selectableFields": [{"jsonPath": ".spec.color"}],
        "additionalPrinterColumns": [
            {"name": "Color", "type": "string", "jsonPath": ".spec.color", "description": "Shown."},
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "priority": 1},
            {"name": "When", "type": "date", "jsonPath": ".spec.when"},
            {
                "name": "Ready",
                "type": "string",
                "jsonPath": ".status.conditions[?(@.type=='Ready')].status",
            },
        ],
        "schema": _SCHEMA,
        **more,
    }


def crd(plural: str, kind: str, versions: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    """Return a CRD of the test's group."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **spec.pop("names", {})},
            "versions": versions,
            **spec,
        },
    }


BARE_VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
}

_WITH_STATUS = {
    **BARE_VERSION,
    "subresources": {"status": {}},
    "schema": {
        "openAPIV3Schema": {
            "type": "object",
            "properties": {
                "status": {
                    "type": "object",
                    "default": {"phase": "Pending"},
                    "properties": {"phase": _string()},
                }
            },
        }
    },
}

WIDGET_CRDS = [
    crd(
        "widgets",
        "Widget",
        [
            _version("v1", storage=True),
            _version("v1beta1", deprecated=True, deprecationWarning="use diff.example.com/v1"),
        ],
        names={"shortNames": ["wd"], "categories": ["diffs"], "singular": "widget"},
    ),
    crd("bares", "Bare", [BARE_VERSION]),
    crd("gems", "Gem", [_WITH_STATUS]),
    crd("orbs", "Orb", [BARE_VERSION], scope="Cluster"),
]
