"""A command line with a home of its own, and an end for whatever it started."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.nats_server import free_port
from tests.local.command_line import CommandLine


@pytest.fixture
def sympozium(tmp_path: Path) -> Iterator[CommandLine]:
    """A command line with an empty home and a free port."""
    command_line = CommandLine(tmp_path / "home", free_port())
    yield command_line
    command_line.kill()
