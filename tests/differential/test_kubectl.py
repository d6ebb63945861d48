"""kubectl prints of the embedded API server what it printed of the real one."""

import pytest

from tests.differential.agreement import Played, cases_of, play
from tests.differential.cases.kubectl import KUBECTL

CASES = cases_of("kubectl")

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not KUBECTL, reason="kubectl is not installed"),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return what kubectl prints in every case."""
    return play(CASES, tmp_path_factory.mktemp("server"))


@pytest.mark.parametrize("name", CASES)
def test_kubectl_prints_what_it_prints_of_a_real_cluster(name: str, played: Played) -> None:
    played.require_agreement(CASES[name])
