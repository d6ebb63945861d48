import pytest

from sympozium.contract.reasons import Reason
from sympozium.kube.refusals import Refusal, is_refusal, read_refusal, rule_of

QUOTA = (
    'Error creating: pods "web-1-x" is forbidden: exceeded quota: small, requested: pods=1, '
    "used: pods=5, limited: pods=5"
)
WEBHOOK = 'admission webhook "policy.example" denied the request: no runs on Sundays'
POLICY = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too late"
STANDARD = (
    'Error creating: pods "x" is forbidden: violates PodSecurity "restricted:latest": '
    "privileged (container must not set securityContext.privileged=true)"
)


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (QUOTA, Refusal(Reason.QUOTA, "quota small")),
        (f"Error creating: {WEBHOOK}", Refusal(Reason.DENIED_BY_POLICY, "no runs on Sundays")),
        (POLICY, Refusal(Reason.DENIED_BY_POLICY, "too late")),
        (
            'admission webhook "w" denied the request without explanation',
            Refusal(Reason.DENIED_BY_POLICY),
        ),
        (STANDARD, Refusal(Reason.DENIED_BY_POLICY, 'violates PodSecurity "restricted:latest"')),
        (
            'pods "x" is forbidden: error looking up service account default/run: not found',
            Refusal(Reason.CONFIGURATION),
        ),
        ('User "system:serviceaccount:x" cannot create', Refusal(Reason.CONFIGURATION)),
    ],
)
def test_a_refusal_is_told_by_its_rule(text: str, refusal: Refusal) -> None:
    assert read_refusal(text) == refusal


@pytest.mark.parametrize("text", [QUOTA, f"Error creating: {WEBHOOK}", POLICY, STANDARD])
def test_what_a_rule_refuses_will_be_refused_again(text: str) -> None:
    assert is_refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        'Internal error occurred: failed calling webhook "w": connection refused',
        "Error creating: etcdserver: request timed out",
    ],
)
def test_a_trouble_that_may_pass_is_no_refusal(text: str) -> None:
    assert not is_refusal(text)


def test_only_a_status_that_a_rule_wrote_is_quoted() -> None:
    assert rule_of("DeniedByPolicy", WEBHOOK) == "no runs on Sundays"
    assert rule_of("AgentCrashed", WEBHOOK) == ""
    assert rule_of("DeniedByPolicy", "Traceback: KeyError at 10.0.0.1") == ""
