"""Containers of the agent image run in forks of the warm parent."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from sympozium.contract.resources import Object
from sympozium_local.kubelet.images import AGENT_MODULES, agent_module

Build = Callable[..., Object]


async def test_an_agent_module_runs_and_ends_as_the_interpreter_would_run_it(
    node: Any, pod: Build
) -> None:
    by_fork = {"name": "fork", "image": "sympozium/agent:1"}
    by_fork["command"] = ["python", "-m", AGENT_MODULES[0]]  # type: ignore[assignment]
    code = "import runpy; runpy.run_module('sympozium_agent.agent', run_name='__main__')"
    by_exec = {**by_fork, "name": "exec", "command": ["python", "-c", code]}
    done, printed = await node.run(pod("p", by_fork, by_exec))
    codes = {
        entry["name"]: entry["state"]["terminated"]["exitCode"]
        for entry in done["status"]["containerStatuses"]
    }
    assert codes["fork"] == codes["exec"] == 1, printed  # the journal's volume is not mounted
    assert printed["fork"].splitlines()[-1] == printed["exec"].splitlines()[-1]


def test_only_known_commands_of_the_agent_image_skip_the_interpreter() -> None:
    command = ["python", "-m", "sympozium_agent.agent"]
    assert agent_module("ghcr.io/x/sympozium/agent:1@sha256:00", command) == command[2]
    assert agent_module("sympozium/agent", ["python", "-m", "http.server"]) == ""
    assert agent_module("sympozium/agent", ["python", "-c", "pass"]) == ""
    assert agent_module("sympozium/router", command) == ""


async def test_a_machine_that_forbids_namespaces_is_told_so_with_what_to_change() -> None:
    # A limit of no user namespaces inside one, as an administrator would set it for the machine.
    script = (
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all "
        '--inh-caps=-all "$0" -c "$1"'
    )
    source = (
        "import asyncio\n"
        "from sympozium_local.kubelet.sandbox.client import open_sandbox\n"
        "async def main():\n"
        "    async with open_sandbox((), on_death=lambda: None): pass\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "--map-root-user", "sh", "-c", script, sys.executable, source),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert "cannot run containers on this machine" in said.decode()
    assert "user.max_user_namespaces" in said.decode()
