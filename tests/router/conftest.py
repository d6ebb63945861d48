"""The world around a router, opened inside a test so that its tasks live in the test's own."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sympozium.bus.nats import NatsBus
from tests.router.routed import World, a_world

OpenWorld = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture
def open_world(tmp_path: Path, bus: NatsBus) -> OpenWorld:
    """Return what opens the world of a test."""
    return lambda: a_world(tmp_path, bus)
