"""Containers of the agent image run in forks of the warm parent."""

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
    assert "No such file" in printed["fork"]
    assert printed["fork"].splitlines()[-1] == printed["exec"].splitlines()[-1]


def test_only_known_commands_of_the_agent_image_skip_the_interpreter() -> None:
    command = ["python", "-m", "sympozium_agent.agent"]
    assert agent_module("ghcr.io/x/sympozium/agent:1@sha256:00", command) == command[2]
    assert agent_module("sympozium/agent", ["python", "-m", "http.server"]) == ""
    assert agent_module("sympozium/agent", ["python", "-c", "pass"]) == ""
    assert agent_module("sympozium/router", command) == ""
