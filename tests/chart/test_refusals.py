"""What the chart does not accept, and that its refusal names the value."""

import pytest

from tests.chart.helm import CHART, NAMESPACE, run


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("controler.replicas=3", "controler"),
        ("nats.replica=3", "replica"),
        ("example.model.baseUrl=http://model", "baseUrl"),
        ("redis.enabled=true", "redis"),
        ("nats.replicas=2", "/nats/replicas"),
        ("controller.replicas=0", "/controller/replicas"),
        ("controller.logLevel=LOUD", "/controller/logLevel"),
        ("images.tag=latest", "/images/tag"),
        ("images.agent.digest=sha256:12", "/images/agent/digest"),
        ("nats.storage.size=10G", "/nats/storage/size"),
        ("transcripts.keepDays=1", "/transcripts/keepDays"),
        ("networkPolicies.dns=null", "dns"),
        ("crds.keeep=true", "keeep"),
    ],
)
def test_a_misspelt_or_impossible_value_is_named(helm: str, given: str, named: str) -> None:
    said = refusal(helm, given)
    assert named in said


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("nats.external.url=nats://bus:4222",), "/nats/external/secret"),
        (("nats.external.secret=bus",), "/nats/external/secret"),
        (
            ("runs.maxConcurrent=5", "runs.maxConcurrentPerNamespace=9"),
            "runs/maxConcurrentPerNamespace is 9",
        ),
        ((f"example.namespace={NAMESPACE}",), "example/namespace"),
        (
            ("networkPolicies.enabled=false", "networkPolicies.metricsFrom[0].podSelector.a=b"),
            "networkPolicies/metricsFrom",
        ),
        (("monitoring.serviceMonitor.enabled=true",), "networkPolicies/metricsFrom"),
        (
            ("runs.internet=false", "example.model.secret=key"),
            "example/model/baseURL",
        ),
    ],
)
def test_values_that_contradict_each_other_are_named(
    helm: str, given: tuple[str, ...], named: str
) -> None:
    assert named in refusal(helm, *given)


def refusal(helm: str, *given: str) -> str:
    """Return what helm says of values, which it must refuse."""
    arguments = [part for one in given for part in ("--set", one)]
    done = run(helm, "template", "x", str(CHART), "-n", NAMESPACE, *arguments)
    assert done.returncode != 0, "it was accepted"
    return done.stderr.replace(".", "/")
