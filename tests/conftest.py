"""Fixtures for all tests; each is defined in a module under `tests/fixtures`."""

import asyncio

import hypothesis

pytest_plugins = [
    "tests.fixtures.nats_server",
    "tests.fixtures.postgresql",
    "tests.fixtures.system",
    "tests.fixtures.real_cluster",
]

# Without this, asking for "the current loop" before the first test makes one that nobody closes.
asyncio.set_event_loop(None)

# How long an example takes depends on who else uses the machine.
hypothesis.settings.register_profile("shared-machine", deadline=None)
hypothesis.settings.load_profile("shared-machine")
