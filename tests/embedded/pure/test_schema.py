"""Schemas of custom kinds: pruning, defaults, and complaints in the real server's words."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium_local.apiserver.schema import CompiledSchema, SchemaError

STRING = {"type": "string"}


def of(spec: dict[str, Any]) -> CompiledSchema:
    return CompiledSchema({"type": "object", "properties": {"spec": spec}})


def fields(**properties: Any) -> CompiledSchema:
    return of({"type": "object", "properties": properties})


def complaints(schema: CompiledSchema, spec: Any, old: Any = None) -> list[tuple[str, str]]:
    before = None if old is None else {"spec": old}
    return [(one.field, one.message) for one in schema.validate({"spec": spec}, before)]


def pruned(schema: CompiledSchema, spec: Any) -> tuple[Any, list[str]]:
    obj = {"apiVersion": "a/v1", "kind": "A", "metadata": {"name": "n"}, "spec": deepcopy(spec)}
    removed = schema.prune(obj)
    assert obj["metadata"] == {"name": "n"}
    assert obj["kind"] == "A"
    return obj["spec"], removed


def test_fields_the_schema_does_not_have_are_removed_and_named() -> None:
    inner = {"type": "object", "properties": {"b": STRING}}
    schema = fields(a=inner, items={"type": "array", "items": inner})
    spec = {"a": {"b": "1", "x": 1}, "y": 2, "items": [{"b": "1"}, {"z": {}}]}
    kept, removed = pruned(schema, spec)
    assert kept == {"a": {"b": "1"}, "items": [{"b": "1"}, {}]}
    assert sorted(removed) == ["spec.a.x", "spec.items[1].z", "spec.y"]


def test_unknown_metadata_is_removed() -> None:
    obj = {"metadata": {"name": "n", "color": "red"}}
    assert fields().prune(obj) == ["metadata.color"]
    assert obj == {"metadata": {"name": "n"}}


def test_unknown_fields_stay_where_the_schema_preserves_them() -> None:
    known = {"type": "object", "properties": {"a": STRING}}
    preserving = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {"strict": known},
    }
    spec = {"free": {"x": 1}, "strict": {"a": "1", "b": 2}}
    kept, removed = pruned(of(preserving), spec)
    assert (kept, removed) == ({"free": {"x": 1}, "strict": {"a": "1"}}, ["spec.strict.b"])


def test_keys_of_a_map_stay_and_their_values_are_pruned() -> None:
    schema = of({"type": "object", "additionalProperties": {"type": "object"}})
    assert pruned(schema, {"k": {"x": 1}}) == ({"k": {}}, ["spec.k.x"])
    anything = of({"type": "object", "additionalProperties": True})
    assert pruned(anything, {"k": {"x": 1}}) == ({"k": {"x": 1}}, [])


def test_an_embedded_resource_keeps_its_type_and_metadata() -> None:
    schema = of({"type": "object", "x-kubernetes-embedded-resource": True})
    spec = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "x": 1}, "spec": {}}
    kept, removed = pruned(schema, spec)
    assert kept == {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    assert sorted(removed) == ["spec.metadata.x", "spec.spec"]


def test_defaults_apply_where_the_parent_exists_or_has_a_default() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    schema = fields(
        absent=inner,
        present=inner,
        given={**inner, "default": {}},
        items={"type": "array", "items": inner},
    )
    obj: dict[str, Any] = {"spec": {"present": {}, "items": [{}, {"n": 5}]}}
    schema.default(obj)
    assert obj["spec"] == {"present": {"n": 1}, "given": {"n": 1}, "items": [{"n": 1}, {"n": 5}]}


def test_null_becomes_the_default_unless_null_is_a_value() -> None:
    default = {"type": "string", "default": "d"}
    schema = fields(a=default, b={**default, "nullable": True})
    obj: dict[str, Any] = {"spec": {"a": None, "b": None}}
    schema.default(obj)
    assert obj == {"spec": {"a": "d", "b": None}}


def test_objects_do_not_share_a_default() -> None:
    schema = fields(a={"type": "array", "items": STRING, "default": []})
    one: dict[str, Any] = {"spec": {}}
    other: dict[str, Any] = {"spec": {}}
    schema.default(one)
    schema.default(other)
    one["spec"]["a"].append("x")
    assert other == {"spec": {"a": []}}


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (STRING, 1, 'Invalid value: "integer": spec.x in body must be of type string: "integer"'),
        (STRING, None, 'Invalid value: "null": spec.x in body must be of type string: "null"'),
        (
            {"type": "integer"},
            "1",
            'Invalid value: "string": spec.x in body must be of type integer: "string"',
        ),
        (
            {"type": "string", "enum": ["a", "b"]},
            "c",
            'Unsupported value: "c": supported values: "a", "b"',
        ),
        (
            {"type": "integer", "maximum": 10},
            15,
            "Invalid value: 15: spec.x in body should be less than or equal to 10",
        ),
        (
            {"type": "number", "minimum": 0.5, "exclusiveMinimum": True},
            0.5,
            "Invalid value: 0.5: spec.x in body should be greater than 0.5",
        ),
        (
            {"type": "string", "pattern": "^a+$"},
            "b",
            "Invalid value: \"b\": spec.x in body should match '^a+$'",
        ),
        ({"type": "string", "maxLength": 2}, "abc", "Too long: may not be more than 2 bytes"),
        (
            {"type": "string", "minLength": 1},
            "",
            'Invalid value: "": spec.x in body should be at least 1 chars long',
        ),
        (
            {"type": "array", "items": STRING, "maxItems": 1},
            ["a", "b"],
            "Too many: 2: must have at most 1 items",
        ),
        (
            {"type": "array", "items": STRING, "minItems": 1},
            [],
            "Invalid value: 0: spec.x in body should have at least 1 items",
        ),
        (
            {"type": "string", "format": "date-time"},
            "today",
            'Invalid value: "today": spec.x in body must be of type date-time: "today"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            1.5,
            'Invalid value: "number": spec.x in body must be of type integer,string: "number"',
        ),
        (
            {"type": "object", "properties": {"a": STRING}, "not": {"required": ["a"]}},
            {"a": "1"},
            'Invalid value: "": "spec.x" must not validate the schema (not)',
        ),
    ],
)
def test_a_value_that_breaks_its_schema_is_refused_in_these_words(
    schema: Any, value: Any, message: str
) -> None:
    assert complaints(fields(x=schema), {"x": value}) == [("spec.x", message)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "number"}, 1),
        ({"type": "string", "nullable": True}, None),
        ({"type": "string", "format": "no-such-format"}, "x"),
        ({"type": "string", "format": "duration"}, "1h30m"),
        ({"x-kubernetes-int-or-string": True}, "10%"),
        ({"type": "string", "pattern": "b"}, "abc"),
    ],
)
def test_a_value_that_keeps_to_its_schema_is_taken(schema: Any, value: Any) -> None:
    assert complaints(fields(x=schema), {"x": value}) == []


def test_a_required_field_is_missed_by_its_full_path() -> None:
    item = {"type": "object", "required": ["name"], "properties": {"name": STRING}}
    schema = fields(list={"type": "array", "items": item})
    assert complaints(schema, {"list": [{}]}) == [("spec.list[0].name", "Required value")]


def test_items_of_a_keyed_list_are_told_apart_by_their_keys() -> None:
    item = {"type": "object", "properties": {"name": STRING, "n": {"type": "integer"}}}
    schema = fields(
        x={
            "type": "array",
            "items": item,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        }
    )
    value = [{"name": "a", "n": 1}, {"name": "a", "n": 2}]
    assert complaints(schema, {"x": value}) == [("spec.x[1]", 'Duplicate value: {"name":"a"}')]


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "Found none valid"), ({"a": "", "b": ""}, "Found 2 valid alternatives")],
)
def test_one_of_several_shapes_is_asked_for(given: Any, said: str) -> None:
    spec = {
        "type": "object",
        "properties": {"a": STRING, "b": STRING},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    messages = [message for _, message in complaints(of(spec), given)]
    assert messages[0] == (
        f'Invalid value: "": "spec" must validate one and only one schema (oneOf). {said}'
    )
    assert complaints(of(spec), {"a": "x"}) == []


def test_what_did_not_change_is_not_held_against_an_update() -> None:
    schema = fields(a={"type": "string", "enum": ["x"]}, b={"type": "string", "enum": ["x"]})
    old = {"a": "before the enum", "b": "x"}
    assert complaints(schema, {**old, "b": "x"}, old) == []
    assert [path for path, _ in complaints(schema, {**old, "b": "y"}, old)] == ["spec.b"]


def with_rules(*rules: dict[str, Any], **properties: Any) -> CompiledSchema:
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": list(rules)}
    return of(spec)


def test_a_rule_complains_at_the_field_it_names() -> None:
    unsupported = {"message": "not supported yet"}
    schema = with_rules(
        {"rule": "!has(self.sandbox)", "fieldPath": ".sandbox", **unsupported},
        {"rule": "!has(self.hooks)", "fieldPath": ".hooks", **unsupported},
        sandbox={"type": "object"},
        hooks={"type": "object"},
    )
    assert complaints(schema, {}) == []
    found = complaints(schema, {"sandbox": {}})
    assert found == [("spec.sandbox", "Invalid value: not supported yet")]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"rule": "self.n < 3"}, "Invalid value: failed rule: self.n < 3"),
        (
            {"rule": "self.n < 3", "messageExpression": "'n is ' + string(self.n)"},
            "Invalid value: n is 5",
        ),
        ({"rule": "false", "message": "m", "reason": "FieldValueForbidden"}, "Forbidden: m"),
        ({"rule": "false", "message": "m", "reason": "FieldValueRequired"}, "Required value: m"),
    ],
)
def test_a_broken_rule_is_told_as_its_author_wished(rule: Any, message: str) -> None:
    schema = with_rules(rule, n={"type": "integer"})
    assert complaints(schema, {"n": 5}) == [("spec", message)]


def test_a_rule_without_a_value_for_this_object_is_a_complaint() -> None:
    schema = with_rules({"rule": "self.missing == 1"}, n={"type": "integer"})
    [(path, message)] = complaints(schema, {})
    assert path == "spec"
    assert message.endswith("evaluating rule: self.missing == 1")


def test_a_transition_is_checked_only_when_there_is_something_old() -> None:
    rule = {"rule": "self == oldSelf", "message": "is immutable"}
    schema = fields(x={"type": "string", "x-kubernetes-validations": [rule]})
    assert complaints(schema, {"x": "a"}) == []
    assert complaints(schema, {"x": "a"}, {}) == []
    assert complaints(schema, {"x": "a"}, {"x": "a"}) == []
    found = complaints(schema, {"x": "b"}, {"x": "a"})
    assert found == [("spec.x", 'Invalid value: "b": is immutable')]


def test_a_transition_sees_values_that_did_not_change() -> None:
    rule = {"rule": "self > oldSelf", "message": "must grow"}
    schema = fields(x={"type": "integer", "x-kubernetes-validations": [rule]})
    found = complaints(schema, {"x": 1}, {"x": 1})
    assert found == [("spec.x", "Invalid value: 1: must grow")]


def test_an_optional_old_value_may_be_missing() -> None:
    rule = {"rule": "!oldSelf.hasValue() || oldSelf.value() < self", "optionalOldSelf": True}
    schema = fields(x={"type": "integer", "x-kubernetes-validations": [rule]})
    assert complaints(schema, {"x": 1}) == []
    assert complaints(schema, {"x": 2}, {"x": 1}) == []
    assert len(complaints(schema, {"x": 1}, {"x": 2})) == 1


@pytest.mark.parametrize(
    "rule",
    [
        "self.__namespace__ == 'a'",
        "self.x__dash__y == 'b'",
        "self.ratio + 0.5 == 1.5",
        "self.blob == b'hi'",
        "self.list.sum() == 3 && self.list.max() == 2 && self.list.isSorted()",
        "self.name.find('[0-9]+') == '12'",
        "self.?missing.orValue('d') == 'd'",
        "sets.contains(self.list, [1])",
        "self.list.indexOf(2) == 1 && self.name.indexOf('1') == 1",
        "isQuantity('1Gi') && !isQuantity('1Q')",
    ],
)
def test_rules_may_use_what_kubernetes_adds_to_the_language(rule: str) -> None:
    schema = with_rules(
        {"rule": rule},
        namespace=STRING,
        **{"x-y": STRING},
        ratio={"type": "number"},
        blob={"type": "string", "format": "byte"},
        list={"type": "array", "items": {"type": "integer"}},
        name=STRING,
    )
    spec = {
        "namespace": "a",
        "x-y": "b",
        "ratio": 1,
        "blob": "aGk=",
        "list": [1, 2],
        "name": "a12",
    }
    assert complaints(schema, spec) == []


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"type": "object", "properties": {"a": {}}}, "spec].properties[a].type: Required value"),
        ({"type": "thing"}, "properties[spec].type: Unsupported value"),
        ({"type": "array"}, "properties[spec].items: Required value"),
        ({"type": "string", "pattern": "("}, "properties[spec].pattern: Invalid value"),
        (
            {"type": "object", "x-kubernetes-validations": [{"rule": "self.("}]},
            "properties[spec].x-kubernetes-validations[0].rule: Invalid value",
        ),
        (
            {"type": "object", "x-kubernetes-validations": [{"rule": "'text'"}]},
            "must evaluate to a bool",
        ),
        (
            {"type": "object", "x-kubernetes-validations": [{"rule": "quantity('1') == 1"}]},
            "undeclared reference to 'quantity'",
        ),
        ({"$ref": "#/x", "type": "object"}, "properties[spec].$ref: Forbidden"),
    ],
)
def test_a_schema_that_cannot_be_served_is_refused_with_the_place(spec: Any, where: str) -> None:
    with pytest.raises(SchemaError) as caught:
        of(spec)
    assert where in str(caught.value)


SAMPLE = of({
    "type": "object",
    "required": ["a"],
    "properties": {
        "a": STRING,
        "n": {"type": "integer", "default": 3},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "list": {"type": "array", "items": {"type": "object", "properties": {"b": STRING}}},
        "sub": {"type": "object", "default": {}, "properties": {"d": {**STRING, "default": ""}}},
    },
})  # fmt: skip

leaves = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2)
specs = st.dictionaries(
    st.sampled_from(["a", "n", "map", "list", "sub", "other"]),
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["b", "d", "x"]), inner, max_size=2)
        ),
        max_leaves=6,
    ),
)


@given(spec=specs)
def test_pruning_and_defaulting_twice_is_doing_it_once(spec: Any) -> None:
    obj = {"spec": spec}
    SAMPLE.prune(obj)
    SAMPLE.default(obj)
    once = deepcopy(obj)
    assert SAMPLE.prune(obj) == []
    SAMPLE.default(obj)
    assert obj == once


@given(spec=specs)
def test_what_is_valid_stays_valid_as_it_is_and_pruned(spec: Any) -> None:
    obj = {"spec": deepcopy(spec)}
    SAMPLE.default(obj)
    before = SAMPLE.validate(obj)
    SAMPLE.prune(obj)
    assert SAMPLE.validate(obj) == before
    assert SAMPLE.validate(obj, obj) == []
