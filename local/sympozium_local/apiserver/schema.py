"""Schemas of custom kinds: prune, default and validate objects by them.

A schema is compiled once, into closures, because every write goes through it.
"""

from sympozium_local.apiserver.defaulting import compile_defaults
from sympozium_local.apiserver.field_errors import FieldError
from sympozium_local.apiserver.pruning import compile_pruning
from sympozium_local.apiserver.resource import Object
from sympozium_local.apiserver.shapes import Shape, shape_of_schema
from sympozium_local.apiserver.structural import SchemaError, require_structural
from sympozium_local.apiserver.validation import (
    ABSENT,
    Complaints,
    compile_validation,
    has_rules,
    told,
)

__all__ = ["CompiledSchema", "FieldError", "SchemaError"]


class CompiledSchema:
    """An `openAPIV3Schema` of one version of a custom kind.

    Attributes:
        shape: How its lists and maps are owned, for server-side apply.

    Raises:
        SchemaError: the schema is not structural, or a rule in it does not compile.
    """

    def __init__(self, schema: Object) -> None:
        require_structural(schema)
        self._prune = compile_pruning(schema)
        self._default = compile_defaults(schema)
        self._validate = compile_validation(schema)
        self._has_rules = has_rules(schema)
        self.shape: Shape = shape_of_schema(schema)

    def prune(self, obj: Object) -> list[str]:
        """Take the fields the schema does not have out of *obj*; return their paths."""
        removed: list[str] = []
        self._prune(obj, "", removed)
        return removed

    def default(self, obj: Object) -> None:
        """Fill in defaults where the parent exists or has a default itself."""
        if self._default is not None:
            self._default(obj)

    def validate(self, new: Object, old: Object | None = None) -> list[FieldError]:
        """Return what is wrong with *new*, which replaces *old*.

        What is the same in *old* is not held against *new*, so that a schema may
        become stricter without making its objects unchangeable.
        """
        found = Complaints()
        self._validate(new, ABSENT if old is None else old, "", found)
        return told(found, with_rules=self._has_rules) if found or found.by_rules else []
