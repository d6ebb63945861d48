"""What has a container of a run die at a sync point comes from the controller's own settings."""

from typing import Any

from sympozium_controller.runs.pod import build_job
from sympozium_controller.settings import PodSettings, read_settings
from tests.controller.worlds import a_plan, a_run

URL = {"SYMPOZIUM_NATS_URL": "nats://bus:4222"}


def variables(settings: PodSettings) -> list[dict[str, str]]:
    """Return those of each container of a run that are about sync points."""
    job = build_job(a_run(), a_plan(), settings)
    pod: dict[str, Any] = job["spec"]["template"]["spec"]
    containers = [*pod["initContainers"], *pod["containers"]]
    return [
        {one["name"]: one["value"] for one in container["env"] if "_CRASH_" in one["name"]}
        for container in containers
    ]


def test_a_run_has_nothing_about_sync_points_where_nobody_asked() -> None:
    assert not any(variables(read_settings(URL).pods))


def test_every_container_of_a_run_is_told_where_to_die() -> None:
    asked = {"SYMPOZIUM_CRASH_AT": "bridge.after-end", "SYMPOZIUM_CRASH_MARKER": "/ipc/died"}
    found = variables(read_settings({**URL, **asked}).pods)
    assert len(found) > 1
    assert all(one == asked for one in found)
