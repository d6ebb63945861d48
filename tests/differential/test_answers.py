"""The embedded API server answers as the real one did when it was recorded."""

import pytest

from tests.differential.accepted import reasons_explained, reasons_used
from tests.differential.agreement import Played, cases_of, play

CASES = cases_of("kubectl", "pods", beside=True)

pytestmark = pytest.mark.timeout(120)  # the first test plays all cases


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return what the embedded server answers to every case."""
    return play(CASES, tmp_path_factory.mktemp("server"))


@pytest.mark.parametrize("name", CASES)
def test_the_embedded_server_answers_as_the_real_one(name: str, played: Played) -> None:
    played.require_agreement(CASES[name])


def test_each_difference_that_is_accepted_has_its_reason_in_the_docs() -> None:
    assert reasons_used() == reasons_explained()
