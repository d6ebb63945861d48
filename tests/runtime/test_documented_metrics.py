"""Everything that is counted is in the operators' manual, most of it with an alert."""

import re
from pathlib import Path

import pytest

from sympozium.bus import clock, lag
from sympozium.chat import metrics as chat
from sympozium.kube import measures as kube
from sympozium.kube import queue
from sympozium.store import measures as store
from sympozium_controller import measures as controller
from sympozium_router import measures as router
from sympozium_router.dead import death_toll

MANUAL = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
NAMES = sorted(
    {
        metric.as_text().split()[2]
        for module in (kube, store, controller, router)
        for metric in module.METRICS
    }
    | {clock.METRIC, lag.WAITING, lag.IN_HAND, death_toll.METRIC, controller.RUNS}
    | {queue.DEPTH, queue.PUT_OFF, chat.READY, chat.SILENT, chat.CLOCK_AHEAD, *chat.Counted}
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_is_in_the_manual(name: str) -> None:
    assert re.search(rf"{name}(_bucket)?\b", MANUAL)


def test_the_manual_names_no_metric_that_there_is_not() -> None:
    named = set(re.findall(r"\bsympozium_[a-z_]+", MANUAL)) - {
        "sympozium_router",
        "sympozium_controller",
    }
    assert {name.removesuffix("_bucket") for name in named} <= set(NAMES)
