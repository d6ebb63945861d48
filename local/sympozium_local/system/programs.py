"""The programs that the supervisor runs itself; all others are pods."""

import functools
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from sympozium_local.system.bus_access import bus_access
from sympozium_local.system.bus_health import stores_or_cannot
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.ports import Ports
from sympozium_local.system.process import python
from sympozium_local.system.readiness import accepts, exists
from sympozium_local.system.runner import Program

NODE = "node"
"""The program that runs pods."""

_SECRETS = ("OPENAI_API_KEY", "SYMPOZIUM_WEB_TOKEN")
"""What no program here is given: the key's way is a Secret, into a run's bridge."""


def programs(home: Home, ports: Ports, *, demo_model: bool) -> Iterator[Program]:
    """Yield the programs of one start, those that others need first.

    Raises:
        StartError: The bus is not installed.
    """
    environ = _environ()
    config, bus_password = str(home.nats / "nats.conf"), bus_access(home).controller_password
    yield Program(
        "nats-server", (_nats_server(), "-c", config), functools.partial(accepts, ports.nats),
        environ,
        is_well=functools.partial(stores_or_cannot, ports.nats, bus_password, home.nats),
    )  # fmt: skip
    api = python(
        "sympozium_local.apiserver", "--data-dir", str(home.apiserver), "--port", str(ports.api)
    )
    yield Program("apiserver", tuple(api), functools.partial(accepts, ports.api), environ)
    node = python("sympozium_local.system.node", "--home", str(home.path))
    yield Program(
        NODE, tuple(node), functools.partial(exists, home.node_ready), environ,
        stage=1, grace_s=3.7,
    )  # fmt: skip
    if demo_model:
        model = python("sympozium_local.demo_model", "--port", str(ports.model))
        yield Program("demo-model", tuple(model), functools.partial(accepts, ports.model), environ)


def _environ() -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _nats_server() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise StartError(
            "cannot start the bus: nats-server is not installed; "
            "run `make up`, which installs it, or put it on PATH"
        )
    return found
