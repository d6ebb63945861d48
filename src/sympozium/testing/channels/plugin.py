"""The suite's option and fixtures: one channel shared by many scenarios, or one of its own."""

import importlib
from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio

from sympozium.testing.channels.driver import MakeDriver
from sympozium.testing.channels.stage import Stage, stage


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the channels under test from the command line."""
    parser.addoption(
        "--channel",
        action="append",
        default=[],
        metavar="MODULE:FUNCTION",
        help="what makes the driver of a channel under test; may be given more than once",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every scenario for every channel."""
    if "make_driver" in metafunc.fixturenames:
        names = metafunc.config.getoption("--channel")
        if not names:
            raise pytest.UsageError("name a channel: --channel=package.module:make_driver")
        metafunc.parametrize(
            "make_driver",
            [_loaded(name) for name in names],
            ids=[name.split(":")[0].split(".")[-2] for name in names],
            scope="session",
        )


def _loaded(name: str) -> MakeDriver:
    module, _, function = name.partition(":")
    return cast(MakeDriver, getattr(importlib.import_module(module), function))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(
    make_driver: MakeDriver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """A running channel for all scenarios that leave it running."""
    async with stage(make_driver, tmp_path_factory.mktemp("stage")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def own(
    make_driver: MakeDriver, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """A running channel for one scenario that breaks something."""
    async with stage(make_driver, tmp_path_factory.mktemp("own")) as running:
        yield running
