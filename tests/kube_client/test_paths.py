"""A request goes to the object that is meant, whatever somebody wrote as its name."""

import pytest

from sympozium.contract.resources import AGENTS, CLUSTER_ROLES, SECRETS
from sympozium.kube.client import object_path
from sympozium.kube.errors import NotFoundError


@pytest.mark.parametrize(
    "name",
    [
        "x" * 254,
        "../../theirs/agents/helper",
        "..",
        ".",
        "helper/status",
        "helper?watch=1",
        "helper#x",
        "%2e%2e",
        "he lper",
        "helper\n",
    ],
)
def test_a_text_that_is_no_name_leads_to_no_object(name: str) -> None:
    with pytest.raises(NotFoundError):
        object_path(AGENTS, "ours", name)
    with pytest.raises(NotFoundError):
        object_path(SECRETS, name, "tokens")


def test_a_name_leads_to_its_object() -> None:
    assert object_path(AGENTS, "ours", "a.b-c") == (
        "/apis/sympozium.ai/v1alpha1/namespaces/ours/agents/a.b-c"
    )
    assert object_path(CLUSTER_ROLES, None, "system:node").endswith("/clusterroles/system:node")
