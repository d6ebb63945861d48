"""What the controller is told, and what it says when that is wrong."""

import pytest

from sympozium.runtime.settings import SettingsError
from sympozium_controller.settings import Limits, read_settings

URL = {"SYMPOZIUM_NATS_URL": "nats://bus:4222"}


def test_the_bus_is_all_that_must_be_set() -> None:
    settings = read_settings(URL)
    assert settings.bus.url == settings.pods.nats_url == "nats://bus:4222"
    assert settings.pods.run_egress == ()


def test_pods_may_reach_the_bus_under_another_address() -> None:
    settings = read_settings({**URL, "SYMPOZIUM_POD_NATS_URL": "nats://other:4222"})
    assert settings.pods.nats_url == "nats://other:4222"


def test_egress_rules_are_taken_as_they_are() -> None:
    rules = '[{"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}], "ports": [{"port": 4222}]}]'
    settings = read_settings({**URL, "SYMPOZIUM_RUN_EGRESS": rules})
    assert settings.pods.run_egress[0]["ports"] == [{"port": 4222}]


def test_runs_are_unlimited_until_somebody_sets_a_limit() -> None:
    limits = {
        "SYMPOZIUM_MAX_CONCURRENT_RUNS": "20",
        "SYMPOZIUM_MAX_CONCURRENT_RUNS_PER_NAMESPACE": "5",
    }
    assert read_settings(URL).limits == Limits()
    assert read_settings({**URL, **limits}).limits == Limits(total=20, per_namespace=5)
    assert read_settings({**URL, **dict.fromkeys(limits, "0")}).limits == Limits()


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"SYMPOZIUM_HEALTH_PORT": "x", "SYMPOZIUM_RUN_EGRESS": "no"})
    for name in ("SYMPOZIUM_NATS_URL", "SYMPOZIUM_HEALTH_PORT", "SYMPOZIUM_RUN_EGRESS"):
        assert name in str(caught.value)


def test_secrets_are_not_shown() -> None:
    secrets = {"SYMPOZIUM_NATS_PASSWORD": "pass-word", "SYMPOZIUM_NATS_ISSUER_SEED": "SAAA"}
    text = repr(read_settings({**URL, **secrets}))
    assert "pass-word" not in text
    assert "SAAA" not in text
