"""How long things are kept is said once, at the start."""

import json
from pathlib import Path

import pytest

from sympozium_local.system.errors import StartError
from sympozium_local.system.home import Home
from sympozium_local.system.keeping import Keeping, keeping
from sympozium_local.system.manifests import Deployment, addons
from sympozium_local.system.model import read_model
from tests.local.test_addons import ACCESS
from tests.local.test_model import PORTS

SAID = {
    "SYMPOZIUM_KEEP_DAYS": "30",
    "SYMPOZIUM_RUNS_KEEP_DAYS": "3",
    "SYMPOZIUM_RUNS_KEEP_SUCCESSFUL": "5",
    "SYMPOZIUM_RUNS_KEEP_FAILED": "6",
}


def test_what_is_said_at_the_start_reaches_the_programs(tmp_path: Path) -> None:
    said = keeping(SAID)
    assert said == Keeping(transcripts_days=30, runs_days=3, successful=5, failed=6)
    deployment = Deployment(Home(tmp_path), PORTS, ACCESS, read_model(1, {}), keeping=said)
    objects = json.dumps(addons(deployment)["apply"])
    for name, value in SAID.items():
        assert json.dumps({"name": name, "value": value}) in objects


def test_nothing_said_is_what_the_programs_take_by_themselves() -> None:
    assert keeping({}) == Keeping()


def test_what_is_out_of_bounds_is_told_before_anything_starts() -> None:
    with pytest.raises(StartError, match="SYMPOZIUM_KEEP_DAYS is '1'; accepted: 2 to 3650"):
        keeping({"SYMPOZIUM_KEEP_DAYS": "1"})
