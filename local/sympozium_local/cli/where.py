"""The options that every command has which talks to a cluster: which one, which namespace."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

_PANEL = "Where"
Context = Annotated[
    str,
    typer.Option(
        "--context", help="The kubeconfig's context.", rich_help_panel=_PANEL, metavar="NAME"
    ),
]
KubeconfigFile = Annotated[
    str,
    typer.Option(
        "--kubeconfig", help="Another kubeconfig.", rich_help_panel=_PANEL, metavar="FILE"
    ),
]
Namespace = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        help="The namespace; else that of the context.",
        rich_help_panel=_PANEL,
        metavar="NAME",
    ),
]
_OPTIONS: dict[str, Any] = {
    "context": Context,
    "kubeconfig": KubeconfigFile,
    "namespace": Namespace,
}


@dataclass(frozen=True)
class Where:
    """What a person said about where a command is meant; empty: they said nothing."""

    context: str = ""
    kubeconfig: str = ""
    namespace: str = ""

    @property
    def names_a_cluster(self) -> bool:
        """Whether it is not left to us which cluster is meant."""
        return bool(self.context or self.kubeconfig)


_said_before: Where = Where()
"""What was said in front of the command, as kubectl lets people do."""


def said_before(
    context: Context = "", kubeconfig: KubeconfigFile = "", namespace: Namespace = ""
) -> None:
    """Keep what was said in front of the command; what is said after it goes first."""
    global _said_before  # a process runs one command
    _said_before = Where(context, kubeconfig, namespace)


def somewhere(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command*, in place of its parameter `where`, the options that make a `Where`."""
    return _with_options(command, ("context", "kubeconfig", "namespace"))


def at_cluster(command: Callable[..., None]) -> Callable[..., None]:
    """As `somewhere`, for a command to which a namespace means nothing, or something else."""
    return _with_options(command, ("context", "kubeconfig"))


def _with_options(command: Callable[..., None], names: tuple[str, ...]) -> Callable[..., None]:
    signature = inspect.signature(command, eval_str=True)
    own = [one for one in signature.parameters.values() if one.name != "where"]
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=_OPTIONS[name]
        )
        for name in names
    ]

    @functools.wraps(command)
    def told(**values: Any) -> None:
        said = {name: values.pop(name) or getattr(_said_before, name) for name in names}
        command(where=Where(**said), **values)

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    del told.__wrapped__
    told.__signature__ = signature.replace(parameters=[*parameters, *added])  # type: ignore[attr-defined] # what typer reads
    told.__annotations__ = {one.name: one.annotation for one in [*parameters, *added]}
    return told
