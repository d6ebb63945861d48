"""helm for the tests of the charts."""

import pytest

from tests.chart.helm import NoHelmError, find_helm


@pytest.fixture(scope="session")
def helm() -> str:
    """The path of a real helm."""
    try:
        return find_helm()
    except NoHelmError as error:
        pytest.skip(str(error))
