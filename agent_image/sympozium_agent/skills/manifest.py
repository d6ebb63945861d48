"""What a skill's tools are called and take: the agent offers it, the tool runner holds it."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from sympozium.contract.errors import PermanentError

DENIED = "denied: "
"""How the answer to a call begins that policy forbids."""

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"

ObjectName = Annotated[
    str, msgspec.Meta(pattern=rf"^{_LABEL}(\.{_LABEL})*$", min_length=1, max_length=253)
]
"""Name of an object as RFC 1123 has it. Nothing in it can lead out of a URL's segment."""

LabelName = Annotated[str, msgspec.Meta(pattern=rf"^{_LABEL}$", min_length=1, max_length=63)]
"""Name of a namespace or container."""

Selector = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z0-9_./=!,() -]+$", min_length=1, max_length=512)
]
"""A label selector, `app=web,tier!=cache`."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool takes. A model's arguments are decoded into it or refused."""


@dataclass(frozen=True)
class ToolSpec:
    """One tool of a skill."""

    name: str
    description: str
    arguments: type[Arguments]

    def parameters(self) -> dict[str, Any]:
        """Return the JSON schema of its arguments. It is the same object each time."""
        return _schema(self.arguments)


@functools.cache
def _schema(arguments: type[Arguments]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([arguments])
    schema = dict(components[arguments.__name__])
    schema.pop("title", None)
    schema.pop("description", None)
    return schema


@dataclass(frozen=True)
class Skill:
    """A pack of tools, with a sidecar of its own in every run that has it."""

    pack: str
    tools: tuple[ToolSpec, ...]


@dataclass(frozen=True)
class ToolGate:
    """Which tools may run: those of *allow* (None: all), without those of *deny*."""

    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()

    def lets_pass(self, tool: str) -> bool:
        """Return whether *tool* may run."""
        return tool not in self.deny and (self.allow is None or tool in self.allow)

    def refusal(self, tool: str) -> str:
        """Return what the model is told when it names a tool that may not run."""
        return f"{DENIED}policy does not allow the tool {tool!r} in this run"


def find_skill(pack: str, skills: tuple[Skill, ...]) -> Skill:
    """Return the skill called *pack*.

    Raises:
        PermanentError: There is none.
    """
    for skill in skills:
        if skill.pack == pack:
            return skill
    known = ", ".join(skill.pack for skill in skills)
    raise PermanentError(f"cannot use the skill {pack!r}: this image holds {known}; remove it")
