"""Pods come to the same ends on the embedded kubelet as on a real one."""

import pytest

from sympozium_local.kubelet.sandbox.check import sandbox_problem
from tests.differential.agreement import Played, cases_of, play

CASES = cases_of("pods")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return what becomes of the pods of every case."""
    if problem := sandbox_problem():
        pytest.skip(f"this machine cannot run containers: {problem}")
    return play(CASES, tmp_path_factory.mktemp("node"), kubelet=True)


@pytest.mark.parametrize("name", CASES)
def test_a_pod_fares_on_the_embedded_node_as_on_a_real_one(name: str, played: Played) -> None:
    played.require_agreement(CASES[name])
