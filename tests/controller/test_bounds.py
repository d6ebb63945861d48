"""Containers within the LimitRanges of their namespace."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.agent import Resources
from sympozium.contract.reasons import Reason
from sympozium.contract.resources import Object
from sympozium.kube.refusals import is_refusal, read_refusal
from sympozium_controller.runs.bounds import NO_BOUNDS, read_bounds
from sympozium_controller.runs.quota import quantity

OURS = Resources(requests={"cpu": "10m", "memory": "48Mi"}, limits={"memory": "256Mi"})
NOTHING = Resources()

SAID = (
    'Error creating: pods "web-abc-x" is forbidden: [maximum memory usage per Container is 200Mi, '
    "but limit is 512Mi, minimum cpu usage per Container is 20m, but request is 10m, cpu max "
    "limit to request ratio per Container is 10, but provided ratio is 50.000000]"
)
"""As kube-apiserver 1.36 says it."""


def limit_range(**limits: Any) -> Object:
    return {"spec": {"limits": [{"type": "Container", **limits}]}}


def test_without_a_limit_range_nothing_is_changed() -> None:
    assert NO_BOUNDS.fit(OURS, NOTHING) == OURS
    given = Resources(limits={"memory": "1Gi"})
    assert NO_BOUNDS.fit(OURS, given).limits == {"memory": "1Gi"}


def test_what_is_ours_fits_what_an_agent_says() -> None:
    small = NO_BOUNDS.fit(OURS, Resources(limits={"memory": "8Mi"}))
    assert quantity(small.requests["memory"]) == quantity("8Mi")
    large = NO_BOUNDS.fit(OURS, Resources(requests={"memory": "1Gi"}))
    assert quantity(large.limits["memory"]) == quantity("1Gi")


def test_what_nobody_said_is_chosen_so_that_it_fits() -> None:
    bounds = read_bounds(
        [
            limit_range(max={"memory": "200Mi", "cpu": "500m"}, min={"cpu": "20m"}),
            limit_range(maxLimitRequestRatio={"cpu": "10"}),
        ]
    )
    fitted = bounds.fit(OURS, NOTHING)
    assert fitted.limits == {"memory": str(200 << 20), "cpu": "500m"}
    assert fitted.requests == {"memory": "48Mi", "cpu": "50m"}


def test_what_an_agent_says_is_left_as_it_is() -> None:
    given = Resources(requests={"cpu": "5m"}, limits={"memory": "1Gi"})
    bounds = read_bounds([limit_range(max={"memory": "200Mi"}, min={"cpu": "20m"})])
    fitted = bounds.fit(OURS, given)
    assert (fitted.requests["cpu"], fitted.limits["memory"]) == ("5m", "1Gi")


def test_a_limit_for_whole_pods_is_left_to_the_api_server() -> None:
    assert read_bounds([{"spec": {"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}}]) == NO_BOUNDS


amounts = st.integers(1, 4000).map(lambda number: f"{number}m")


@given(
    least=amounts,
    most=amounts,
    ratio=st.none() | st.integers(1, 20).map(str),
    request=amounts,
    limit=st.none() | amounts,
)
def test_what_is_ours_keeps_every_rule_that_can_be_kept(
    least: str, most: str, ratio: str | None, request: str, limit: str | None
) -> None:
    least, most = sorted((least, most), key=quantity)
    rules: Object = {"min": {"cpu": least}, "max": {"cpu": most}}
    if ratio:
        rules["maxLimitRequestRatio"] = {"cpu": ratio}
    ours = Resources(requests={"cpu": request}, limits={"cpu": limit} if limit else {})
    fitted = read_bounds([limit_range(**rules)]).fit(ours, NOTHING)
    asked, used = quantity(fitted.requests["cpu"]), quantity(fitted.limits["cpu"])
    assert quantity(least) <= asked <= used <= quantity(most)
    assert ratio is None or used / asked <= quantity(ratio)


def test_the_words_of_a_limit_range_are_quoted() -> None:
    refusal = read_refusal(SAID)
    assert is_refusal(SAID)
    assert refusal.reason is Reason.DENIED_BY_POLICY
    assert refusal.rule == (
        "maximum memory usage per Container is 200Mi, but limit is 512Mi; "
        "minimum cpu usage per Container is 20m, but request is 10m; "
        "cpu max limit to request ratio per Container is 10"
    )
