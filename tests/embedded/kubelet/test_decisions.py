"""What the kubelet decides without touching anything."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sympozium.contract.errors import PermanentError
from sympozium_local.kubelet.container import MAX_BACKOFF_S, RESET_AFTER_S, Backoff
from sympozium_local.kubelet.environment import expand
from sympozium_local.kubelet.images import UnknownImageError, find_image
from sympozium_local.kubelet.policy import Internet, find_egress
from sympozium_local.kubelet.proxy import RefusedError, check_address
from sympozium_local.kubelet.quantity import parse_quantity
from sympozium_local.kubelet.status import ContainerState, Ended, PodState, pod_status

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def needs_namespaces() -> None:
    """Nothing here needs them."""


def policy(selector: dict[str, Any], *egress: dict[str, Any], types: Any = ("Egress",)) -> Any:
    spec = {"podSelector": selector, "policyTypes": list(types), "egress": list(egress)}
    return {"metadata": {"name": "n"}, "spec": spec}


def pod(**labels: str) -> Any:
    return {"metadata": {"name": "p", "labels": labels}, "spec": {"containers": []}}


def to(cidr: str, *ports: int, **block: Any) -> dict[str, Any]:
    return {"to": [{"ipBlock": {"cidr": cidr, **block}}], "ports": [{"port": p} for p in ports]}


def test_a_pod_that_no_egress_policy_selects_is_open() -> None:
    assert find_egress(pod(a="1"), [policy({"matchLabels": {"a": "2"}})]) is None
    assert find_egress(pod(a="1"), [policy({}, types=["Ingress"])]) is None


def test_what_several_policies_allow_is_added_up() -> None:
    found = find_egress(
        pod(a="1"),
        [
            policy({}, to("127.0.0.1/32", 4222)),
            policy({"matchLabels": {"a": "1"}}, to("127.0.0.1/32", 6443)),
            policy({"matchLabels": {"a": "2"}}, to("127.0.0.1/32", 9999)),
        ],
    )
    assert found is not None
    assert found.loopback_ports == {4222, 6443}
    assert found.internet is None


def test_everywhere_means_the_internet_and_not_the_machine() -> None:
    found = find_egress(pod(), [policy({}, to("0.0.0.0/0", 443, **{"except": ["8.8.8.0/24"]}))])
    assert found is not None
    assert found.loopback_ports == frozenset()
    assert found.internet is not None
    assert found.internet.ports == frozenset({443})
    with pytest.raises(RefusedError):
        check_address(ip_address("8.8.8.8"), 443, found.internet)


def test_a_block_that_a_policy_names_is_reached_and_nothing_beside_it() -> None:
    found = find_egress(
        pod(),
        [
            policy({}, to("0.0.0.0/0", 443)),
            policy({}, to("192.168.7.0/24", 11434, **{"except": ["192.168.7.1/32"]})),
        ],
    )
    assert found is not None
    assert found.internet is not None
    check_address(ip_address("192.168.7.9"), 11434, found.internet)
    check_address(ip_address("8.8.8.8"), 443, found.internet)
    for host, port in {
        "192.168.7.9": 443,
        "192.168.7.1": 11434,
        "192.168.8.9": 11434,
        "8.8.8.8": 11434,
    }.items():
        with pytest.raises(RefusedError):
            check_address(ip_address(host), port, found.internet)


def test_a_block_does_not_open_the_machine_nor_the_internet() -> None:
    found = find_egress(pod(), [policy({}, to("126.0.0.0/7", 22))])
    assert found is not None
    assert found.internet is not None
    assert not found.internet.has_port(443)
    for host in ("127.0.0.1", "8.8.8.8"):
        with pytest.raises(RefusedError):
            check_address(ip_address(host), 22, found.internet)


def test_what_cannot_be_carried_in_stays_closed_and_is_named() -> None:
    rules: list[dict[str, Any]] = [
        {"to": [{"podSelector": {}}]},
        {"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}]},
        {"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}], "ports": [{"protocol": "UDP", "port": 53}]},
    ]
    found = find_egress(pod(), [policy({}, *rules)])
    assert found is not None
    assert (found.loopback_ports, found.internet) == (frozenset(), None)
    assert len(found.unsupported) == 3


@given(st.ip_addresses())
def test_only_public_addresses_are_reached(address: Any) -> None:
    try:
        check_address(address, 443, Internet(ports=None))
    except RefusedError:
        return
    assert address.is_global
    assert not (address.is_private)
    assert not (address.is_loopback)
    assert not (address.is_link_local)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "fd00::1",
        "224.0.0.1",
    ],
)
def test_addresses_that_lead_inside_are_refused(address: str) -> None:
    with pytest.raises(RefusedError):
        check_address(ip_address(address), 443, Internet(ports=None))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("100m", "0.1"),
        ("1.5Gi", "1610612736"),
        ("2e3", "2000"),
        ("64Mi", "67108864"),
        (4, "4"),
        ("1k", "1000"),
        ("0", "0"),
        ("1E", "1000000000000000000"),
    ],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: Any, amount: str) -> None:
    assert parse_quantity(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "one", "1 Gi", "5X", "Gi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(PermanentError):
        parse_quantity(text)


def test_references_to_variables_are_expanded_unknown_ones_kept() -> None:
    env = {"A": "1", "B": "$(A)"}
    assert expand("$(A) $(B) $(C) $$(A) $A $", env) == "1 $(A) $(C) $(A) $A $"


@pytest.mark.parametrize(
    "reference",
    [
        "sympozium/agent",
        "sympozium/agent:1",
        "r.example:5000/x/sympozium/router@sha256:0",
        "sympozium/channel-web:1",
        "ghcr.io/sympozium/machine",
    ],
)
def test_registry_tag_and_digest_of_an_image_do_not_matter(reference: str) -> None:
    assert find_image(reference).binds


@pytest.mark.parametrize("reference", ["agent", "sympozium/agents", "x-sympozium/agent", ""])
def test_other_images_are_refused(reference: str) -> None:
    with pytest.raises(UnknownImageError):
        find_image(reference)


def test_restarts_are_immediate_first_then_wait_longer_and_start_anew_after_a_good_run() -> None:
    backoff = Backoff()
    waits = [backoff.after(0.1) for _ in range(9)]
    assert waits == [0, 1, 2, 4, 8, 16, 32, MAX_BACKOFF_S, MAX_BACKOFF_S]
    assert backoff.after(RESET_AFTER_S) == 0


def test_a_status_keeps_the_time_of_a_condition_that_did_not_change() -> None:
    state = PodState(
        [ContainerState("a", "i", waiting="", running_since=NOW, has_started=True)],
        start_time=NOW,
        is_initialized=True,
    )
    first = pod_status(state, {}, now=NOW)
    state.containers[0].passes_readiness = True
    second = pod_status(state, first, now=NOW + timedelta(seconds=9))
    times = {c["type"]: c["lastTransitionTime"] for c in second["conditions"]}
    assert times["Initialized"] == "2026-01-01T00:00:00Z"
    assert times["Ready"] == "2026-01-01T00:00:09Z"


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (1, "Failed")])
def test_the_phase_at_the_end_follows_the_exit_codes(code: int, phase: str) -> None:
    ended = Ended(code, "", NOW)
    state = PodState([ContainerState("a", "i", waiting="", ended=ended)], is_initialized=True)
    assert state.phase() == "Running"
    state.is_over = True
    assert state.phase() == phase
