"""Fixtures for all tests; each is defined in a module under `tests/fixtures`."""

pytest_plugins = ["tests.fixtures.nats_server"]
