from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.reasons import Reason
from sympozium.kube.errors import from_status
from sympozium.kube.refusals import rule_of
from sympozium_router.outbox.wording import Facts, quoted, sentence
from sympozium_router.runs.refusals import refusal_of

FACTS = Facts(
    reference="web-abc", namespace="default", channel="web", agent="helper", user_id="ada"
)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence_of_its_own_that_names_the_run(reason: Reason) -> None:
    text = sentence(reason, FACTS)
    assert text.endswith("(web-abc)")
    assert "{" not in text
    assert [other for other in Reason if sentence(other, FACTS) == text] == [reason]


@given(reason=st.sampled_from(Reason), said=st.text(min_size=1))
def test_nothing_that_a_status_says_of_a_failure_is_in_the_sentence(
    reason: Reason, said: str
) -> None:
    assert sentence(reason, replace(FACTS, rule=rule_of(reason, said))) == sentence(reason, FACTS)


@given(
    reason=st.sampled_from([Reason.DENIED_BY_POLICY, Reason.QUOTA]),
    before=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40),
    rule=st.text(alphabet="abc .@<!`", min_size=1),
)
def test_of_a_refusal_only_what_its_rule_says_is_in_the_sentence(
    reason: Reason, before: str, rule: str
) -> None:
    said = f"{before} 10.0.0.1 denied the request: {rule}"
    told = sentence(reason, replace(FACTS, rule=rule_of(reason, said)))
    assert "10.0.0.1" not in told
    is_quoted = reason is Reason.DENIED_BY_POLICY and bool(quoted(rule))
    assert (f"(it says: {quoted(rule)})" in told) == is_quoted


def test_a_reason_that_is_not_known_reads_like_an_internal_one() -> None:
    assert sentence("Whatever", FACTS) == sentence(Reason.INTERNAL, FACTS)


def test_who_is_refused_is_told_how_to_get_access() -> None:
    text = sentence(Reason.ACCESS_DENIED, FACTS)
    assert "user id ada" in text
    assert "spec.access.users of channel web" in text


def test_a_code_comes_with_the_command_that_an_operator_types() -> None:
    text = sentence(Reason.ACCESS_DENIED, replace(FACTS, code="ABC234"))
    assert "type sympozium channel pair web ABC234 (within a day), or to add" in text
    elsewhere = sentence(Reason.ACCESS_DENIED, replace(FACTS, code="ABC234", namespace="team-a"))
    assert "sympozium channel pair web ABC234 --namespace team-a (" in elsewhere
    assert "spec.access.users of channel web" in text


@given(text=st.text())
def test_what_is_quoted_is_one_bounded_line_that_cannot_act(text: str) -> None:
    safe = quoted(text)
    assert len(safe) <= 200
    assert not set(safe) & set("\n\r\t<>@`[]{}!#|\u202e") - set("<>")


@pytest.mark.parametrize(
    ("code", "message", "reason", "rule"),
    [
        (
            403,
            'agentruns "web-1" is forbidden: exceeded quota: runs, requested: a=1, used: a=5',
            Reason.QUOTA,
            "quota runs",
        ),
        (
            400,
            'admission webhook "policy.example" denied the request: no runs on Sundays',
            Reason.DENIED_BY_POLICY,
            "no runs on Sundays",
        ),
        (
            422,
            "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too late",
            Reason.DENIED_BY_POLICY,
            "too late",
        ),
        (422, 'spec.task: Invalid value: "secret": too long', Reason.CONFIGURATION, ""),
        (403, 'User "system:serviceaccount:x" cannot create', Reason.CONFIGURATION, ""),
    ],
)
def test_what_the_api_server_refuses_has_a_reason_for_people(
    code: int, message: str, reason: Reason, rule: str
) -> None:
    error = from_status("POST", "/apis/sympozium.ai/agentruns", code, "", message)
    refusal = refusal_of(error)  # type: ignore[arg-type] # these codes are permanent errors
    assert (refusal.reason, refusal.rule) == (reason, rule)
