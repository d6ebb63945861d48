"""What an image name stands for on a machine without a container runtime."""

import functools
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sympozium_local.kubelet.sandbox.plan import Bind

AGENT_MODULES = ("sympozium_agent.agent", "sympozium_agent.bridge", "sympozium_agent.tool_runner")
"""Modules whose ``main()`` the zygote runs without starting an interpreter."""

PRELOADED = (
    *AGENT_MODULES,
    *(module.replace(".", ".rehearsal.", 1) for module in AGENT_MODULES),
)
"""What the zygote imports before it forks, and rehearses."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_ETC = (
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/pki",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
)
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KNOWN = re.compile(r"(?:^|/)sympozium/(agent|router|controller|machine|channel-[a-z0-9-]+)$")


@dataclass(frozen=True)
class Image:
    """An image as folders of this machine."""

    binds: tuple[Bind, ...]
    path: str
    """The default of the ``PATH`` variable."""
    entrypoint: tuple[str, ...] = ()
    """What runs where the manifest names no command."""


class UnknownImageError(LookupError):
    """This node cannot run the image."""


@functools.cache
def find_image(reference: str) -> Image:
    """Return what *reference* is here; registry, tag and digest do not matter.

    Raises:
        UnknownImageError: It is none of ours; the text is for ``kubectl describe``.
    """
    name = reference.partition("@")[0]
    if ":" in name.rpartition("/")[2]:
        name = name.rpartition(":")[0]
    known = _KNOWN.search(name)
    if known is None:
        raise UnknownImageError(
            f"cannot run image {reference!r}: this node has no container runtime and runs only "
            "sympozium/agent, sympozium/router, sympozium/controller, sympozium/channel-<name> "
            "and sympozium/machine; use a cluster for other images"
        )
    system = [*_SYSTEM, *_ETC]
    if known[1] == "machine":
        return Image(_binds(system), _SYSTEM_PATH)
    python = [sys.prefix, sys.base_prefix, *_package_folders(known[1])]
    program = known[1].removeprefix("channel-")
    entrypoint = () if program == "agent" else ("python", "-m", f"sympozium_{program}")
    return Image(_binds([*system, *python]), f"{sys.prefix}/bin:{_SYSTEM_PATH}", entrypoint)


def agent_module(reference: str, argv: Sequence[str]) -> str:
    """Return the module that the zygote shall run for *argv*, or "" to execute it."""
    if len(argv) < 3 or list(argv[:2]) != ["python", "-m"] or argv[2] not in AGENT_MODULES:
        return ""
    name = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return argv[2] if name == "agent" else ""


def _package_folders(image: str) -> list[str]:
    """Return the folders of the project's packages in *image*: the library and its own."""
    own = f"sympozium_{image.removeprefix('channel-')}"
    found = (importlib.util.find_spec(name) for name in ("sympozium", own))
    return [str(place) for spec in found if spec for place in spec.submodule_search_locations or ()]


def _binds(paths: Sequence[str]) -> tuple[Bind, ...]:
    """Return read-only binds of those *paths* that exist, none inside another."""
    existing = [path for path in dict.fromkeys(paths) if Path(path).exists()]
    outermost = [p for p in existing if not any(p.startswith(q + "/") for q in existing)]
    return tuple(
        Bind(os.path.realpath(path), path, is_folder=os.path.isdir(path)) for path in outermost
    )
