"""Definitions of custom kinds: what is refused, how they are served, how they change and go."""

from typing import Any

from tests.differential.case import Object, Sitting, case
from tests.differential.kinds import BARE_VERSION, GROUP

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def _crd(s: Sitting, schema: Object | None = None, **spec: Any) -> Object:
    word = s.namespace.replace("-", "")
    version = BARE_VERSION
    if schema is not None:
        version = {**BARE_VERSION, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{word}s.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": f"{word}s", "kind": word.capitalize()},
            "versions": [version],
            **spec,
        },
    }


async def _try(s: Sitting, crd: Object) -> None:
    """Record whether a definition would be accepted, and if not why."""
    word = s.namespace.replace("-", "")
    for name in (word, f"{word}s", word.capitalize(), f"{word.capitalize()}List"):
        s.normal.name(name, "word")
    status, _, answer = await s.ask("POST", f"{CRDS}?dryRun=All", crd)
    message = answer.get("message", "") if status >= 400 else ""
    s.say(f"dry run {len(s.exchanges)}", {"status": status, "message": message})


def _object(**properties: Any) -> Object:
    return {"type": "object", "properties": properties}


@case()
async def schemas_that_are_not_structural(s: Sitting) -> None:
    for schema in (
        {},
        {"type": "string"},
        _object(spec={}),
        _object(spec={"type": "object", "items": {"type": "string"}}),
        _object(spec={"type": "array"}),
        _object(spec={"type": "thing"}),
        _object(spec={"anyOf": [{"type": "string"}]}),
        _object(spec={"type": "string", "x-kubernetes-preserve-unknown-fields": False}),
        _object(spec={"type": "object", "additionalProperties": False}),
        _object(spec={"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
        _object(metadata={"type": "object", "properties": {"labels": {"type": "object"}}}),
        _object(
            metadata={"type": "object", "properties": {"name": {"type": "string", "maxLength": 9}}}
        ),
    ):
        await _try(s, _crd(s, schema))


@case()
async def schemas_with_bad_defaults(s: Sitting) -> None:
    for schema in (
        {"type": "integer", "default": "x"},
        {"type": "string", "enum": ["a"], "default": "b"},
        {"type": "object", "default": {"x": 1}, "properties": {"y": {"type": "string"}}},
    ):
        await _try(s, _crd(s, _object(spec=_object(field=schema))))


@case()
async def schemas_with_bad_lists(s: Sitting) -> None:
    item = {"type": "object", "properties": {"name": {"type": "string"}}}
    for schema in (
        {"type": "array", "x-kubernetes-list-type": "map", "items": item},
        {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": item,
        },
        {"type": "array", "x-kubernetes-list-type": "bag", "items": item},
        {"type": "array", "x-kubernetes-list-type": "set", "items": item},
        {"type": "string", "x-kubernetes-list-type": "set"},
        {"type": "object", "x-kubernetes-map-type": "odd"},
    ):
        await _try(s, _crd(s, _object(spec=_object(field=schema))))


@case()
async def schemas_with_bad_rules(s: Sitting) -> None:
    for rules in (
        [{"rule": "self.nothing == 1"}],
        [{"rule": "self.a +"}],
        [{"rule": "1 + 1"}],
        [{"rule": ""}],
        [{"rule": "self.a == 'x'", "message": " "}],
        [{"rule": "self.a == 'x'", "message": "two\nlines"}],
        [{"rule": "self.a == 'x'", "reason": "Odd"}],
        [{"rule": "self.a == 'x'", "fieldPath": ".nothing"}],
        [{"rule": "self.a == 'x'", "messageExpression": "1"}],
        [{"rule": "self.a.matches('(')"}],
    ):
        spec = {**_object(a={"type": "string", "maxLength": 9}), "x-kubernetes-validations": rules}
        await _try(s, _crd(s, _object(spec=spec)))


@case()
async def schemas_with_bad_patterns(s: Sitting) -> None:
    for schema in (
        {"type": "string", "pattern": "("},
        {"type": "string", "format": "odd"},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "integer", "minimum": 3, "maximum": 2},
    ):
        await _try(s, _crd(s, _object(spec=_object(field=schema))))


@case()
async def names_that_do_not_fit(s: Sitting) -> None:
    crd = _crd(s)
    await _try(s, {**crd, "metadata": {"name": f"others.{GROUP}"}})
    await _try(s, {**crd, "spec": {**crd["spec"], "group": "Not.A.Group"}})
    await _try(s, {**crd, "spec": {**crd["spec"], "group": ""}})
    await _try(s, {**crd, "spec": {**crd["spec"], "scope": "Everywhere"}})
    names = crd["spec"]["names"]
    for odd in (
        {**names, "kind": ""},
        {**names, "kind": "a b"},
        {**names, "plural": "A"},
        {**names, "shortNames": ["A B"]},
        {"kind": names["kind"]},
    ):
        await _try(s, {**crd, "spec": {**crd["spec"], "names": odd}})


@case()
async def versions_that_do_not_fit(s: Sitting) -> None:
    crd = _crd(s)
    for versions in (
        [],
        [{**BARE_VERSION, "storage": False}],
        [BARE_VERSION, {**BARE_VERSION, "name": "v2"}],
        [BARE_VERSION, BARE_VERSION],
        [{**BARE_VERSION, "name": "V 1"}],
        [{key: value for key, value in BARE_VERSION.items() if key != "schema"}],
        [
            {
                **BARE_VERSION,
                "additionalPrinterColumns": [{"name": "x", "type": "odd", "jsonPath": ".a"}],
            }
        ],
        [
            {
                **BARE_VERSION,
                "additionalPrinterColumns": [{"name": "x", "type": "string", "jsonPath": "a["}],
            }
        ],
        [{**BARE_VERSION, "selectableFields": [{"jsonPath": ".spec.nothing"}]}],
        [
            {
                **BARE_VERSION,
                "subresources": {
                    "scale": {"specReplicasPath": "x", "statusReplicasPath": ".status.y"}
                },
            }
        ],
        [{**BARE_VERSION, "deprecationWarning": "x"}],
    ):
        await _try(s, {**crd, "spec": {**crd["spec"], "versions": versions}})


@case()
async def definition_as_stored(s: Sitting) -> None:
    await _try(s, _crd(s))
    s.normal.counts_versions = False
    await s.post(f"{CRDS}?dryRun=All", _crd(s))
    crd = _crd(s)
    path = f"{CRDS}/{crd['metadata']['name']}"
    await s.ask("POST", CRDS, crd)

    def is_established(answer: Any) -> bool:
        conditions = (answer.get("status") or {}).get("conditions") or []
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    await s.until(path, is_established)
    await s.patch(path, {"spec": {"scope": "Cluster"}})
    await s.patch(path, {"spec": {"group": "other.example.com"}})
    await s.patch(path, {"spec": {"names": {"kind": "Other"}}})
    await s.patch(path, {"spec": {"versions": []}})
    await s.delete(path)
    await s.gone(path)


@case()
async def conflicting_names(s: Sitting) -> None:
    await _try(s, _crd(s))
    crd = _crd(s, names={**_crd(s)["spec"]["names"], "shortNames": ["wd"], "kind": "Widget"})
    path = f"{CRDS}/{crd['metadata']['name']}"
    await s.ask("POST", CRDS, crd)
    answer = await s.ask("GET", path)
    while not (answer[2].get("status") or {}).get("conditions"):
        await s.pause()
        answer = await s.ask("GET", path)
    s.say("conditions", answer[2]["status"]["conditions"])
    s.say("accepted names", answer[2]["status"].get("acceptedNames"))
    await s.ask("DELETE", path)


@case()
async def objects_go_with_their_definition(s: Sitting) -> None:
    await _try(s, _crd(s))
    crd = _crd(s)
    names, path = crd["spec"]["names"], f"{CRDS}/{crd['metadata']['name']}"
    objects = s.path(names["plural"], f"{GROUP}/v1")
    await s.ask("POST", CRDS, crd)
    while (await s.ask("GET", objects))[0] != 200:
        await s.pause()
    made: Object = {"apiVersion": f"{GROUP}/v1", "kind": names["kind"], "metadata": {"name": "a"}}
    while (await s.ask("POST", objects, made))[0] != 201:
        await s.pause()
    await s.ask("DELETE", path)
    await s.gone(path)
    while (await s.ask("GET", objects))[0] != 404:
        await s.pause()
    await s.ask("POST", CRDS, crd)
    while (await s.ask("GET", objects))[0] != 200:
        await s.pause()
    status, _, answer = await s.ask("GET", objects)
    s.say("objects of the new definition", [status, answer.get("items")])
    await s.ask("DELETE", path)
