"""Starting the system in the background, and telling how far it is."""

import json
import os
import subprocess
import sys
from typing import Any

from sympozium_local.cli.instance import find_instance
from sympozium_local.cli.screen import say, styled, waiting
from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home, find_home
from sympozium_local.system.log_files import MAX_BYTES, last_line
from sympozium_local.system.process import python


def start_in_background() -> None:
    """Start the system, show each step, and return when it is ready.

    Raises:
        StartError: It cannot start; nothing is left running.
    """
    instance = find_instance()
    if instance is not None:
        say(f"Sympozium runs already: web chat at {instance.url}")
        return
    home = find_home()
    home.prepare()
    process = _spawn(home)
    try:
        with waiting("starting"):
            _follow(process, home)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _spawn(home: Home) -> "subprocess.Popen[str]":
    path = home.logs / "supervisor.log"
    if path.exists() and path.stat().st_size > MAX_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    with path.open("ab") as log:
        return subprocess.Popen(
            python("sympozium_local.system"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd="/",
            env=os.environ | {"SYMPOZIUM_HOME": str(home.path)},
            start_new_session=True,
        )


def _follow(process: "subprocess.Popen[str]", home: Home) -> None:
    assert process.stdout is not None  # noqa: S101 - asked for in _spawn
    for line in process.stdout:
        told: dict[str, Any] = json.loads(line)
        if "error" in told:
            process.wait()
            raise StartError(told["error"])
        show_step(told["name"], told["text"], told["took_s"], is_warning=told["is_warning"])
        if told["name"] == "system":
            return
    process.wait()
    said = last_line(home.logs / "supervisor.log")
    raise StartError(
        f"cannot start: the supervisor ended with {said or 'no word'!r}; "
        f"see '{home.logs / 'supervisor.log'}'"
    )


def show_step(name: str, text: str, took_s: float, *, is_warning: bool) -> None:
    """Show one step of a start as a line."""
    if is_warning:
        say(f"  {styled('WARNING', '1;33')} {text}")
    else:
        mark = styled("ok", "32") if sys.stderr.isatty() else "ok"
        say(f"  {mark}  {name:<12} {text:<34} {took_s:5.2f} s")
