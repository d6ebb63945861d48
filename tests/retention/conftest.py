"""The world around a router, to which the tests add the controller's deleting."""

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
