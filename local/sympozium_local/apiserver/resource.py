"""What the server knows of one kind of object: its names, its scope, its columns."""

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
"""One Kubernetes object as decoded JSON."""


@dataclass(frozen=True)
class Column:
    """One column of the table that `kubectl get` prints.

    Attributes:
        name: The heading.
        type: `string`, `integer`, `number`, `boolean` or `date`.
        json_path: Where the cell's value is, as in a CRD's `additionalPrinterColumns`.
        priority: 0 is always shown, higher only with `-o wide`.
    """

    name: str
    type: str
    json_path: str
    priority: int = 0
    description: str = ""


@dataclass(frozen=True)
class ApiResource:
    """One served kind in one version of its group ("" is the core group)."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: frozenset[str] = frozenset()
    columns: tuple[Column, ...] = ()
    is_builtin: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` its objects carry: `v1`, `batch/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def storage_key(self) -> str:
        """The name its objects are stored under, shared by all versions: `jobs.batch`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural
