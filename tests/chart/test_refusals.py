"""What the chart does not accept, and that its refusal names the value."""

import json
import math

import pytest

from sympozium.contract.subjects import STREAMS
from sympozium_controller.setup.bus import SHARE_OF_VOLUME
from tests.chart.helm import CHART, NAMESPACE, run, template

OWN_BUS = ("nats.external.url=nats://bus", "nats.external.secret=bus")
NEEDED_MIB = math.ceil(sum(stream.max_bytes for stream in STREAMS) / SHARE_OF_VOLUME / (1 << 20))
"""The smallest volume in which every stream can be made."""


BLOCK = {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}
QUOTA = (
    *("pods", "count/jobs.batch", "requests.cpu", "limits.memory", "requests.storage"),
    *("services.loadbalancers", "requests.example.com/gpu", "persistentvolumeclaims", "cpu"),
    "gold.storageclass.storage.k8s.io/requests.storage",
)
"""Names that a ResourceQuota knows.

Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""


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
            (
                "networkPolicies.enabled=false",
                "networkPolicies.metricsFrom[0].podSelector.matchLabels.a=b",
            ),
            "networkPolicies/metricsFrom",
        ),
        (("monitoring.serviceMonitor.enabled=true",), "networkPolicies/metricsFrom"),
        (
            ("runs.internet=false", "example.model.secret=key"),
            "example/model/baseURL",
        ),
        (("placement.priority=9", "placement.priorityClassName=high"), "placement/priority is 9"),
        ((*OWN_BUS, "nats.external.url=nats://bus:6222"), "nats/external/port"),
        ((*OWN_BUS, "nats.external.port=6222"), "nats/external/url leads to port 4222"),
        ((*OWN_BUS, r"nats.external.url=nats://a\,nats://b:6222"), "nats/external/port"),
        (("nats.external.port=6222",), "nats/external/port is 6222"),
        (("sessions.external.port=6432",), "sessions/external/port is 6432"),
        ((f"nats.storage.size={NEEDED_MIB - 1}Mi",), f"need {NEEDED_MIB}Mi"),
        (("nats.storage.size=2Gi",), "nats/storage/size is 2Gi"),
        (("example.model.baseURL=http://ollama.models.svc:11434/v1",), "port 11434 to runs/egress"),
        (("example.model.baseURL=https://models/v1",), "example/model/baseURL"),
        (("example.model.baseURL=https://10.1.2.3/v1",), "example/model/baseURL"),
        (("example.model.baseURL=http://models.example.org/v1",), "port 80 to runs/egress"),
        (
            ("runs.internet=false", "example.model.baseURL=https://models.example.org/v1"),
            "example/model/baseURL",
        ),
        (
            ("example.model.baseURL=http://m.svc:8000", "runs.egress[0].ports[0].port=8001"),
            "port 8000 to runs/egress",
        ),
    ],
)
def test_values_that_contradict_each_other_are_named(
    helm: str, given: tuple[str, ...], named: str
) -> None:
    assert named in refusal(helm, *given)


@pytest.mark.parametrize(
    "given",
    [
        (*OWN_BUS, r"nats.external.url=tls://a:6222\,tls://b:6222", "nats.external.port=6222"),
        (*OWN_BUS, "nats.external.url=nats://[fd00::1]:4222"),
        (*OWN_BUS, "nats.storage.size=1Gi"),
        ("sessions.external.secret=it", "sessions.external.port=6432"),
        (f"nats.storage.size={NEEDED_MIB}Mi",),
        ("nats.storage.size=3Gi",),
        ("example.model.baseURL=https://models.example.org/v1",),
        ("example.model.baseURL=http://m.svc:8000", "runs.egress[0].ports[0].port=8000"),
        (
            "example.model.baseURL=http://m.svc:8000",
            "runs.egress[0].ports[0].port=7000",
            "runs.egress[0].ports[0].endPort=9000",
        ),
        (
            "example.model.baseURL=https://models/v1",
            "runs.egress[0].to[0].podSelector.matchLabels.a=b",
        ),
    ],
)
def test_values_that_agree_are_accepted(helm: str, given: tuple[str, ...]) -> None:
    arguments = [part for one in given for part in ("--set", one)]
    assert template(helm, *arguments)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("runs.egress[0].to[0].namespaceSelecter.matchLabels.a=b", "namespaceSelecter"),
        ("runs.egress[0].to[0].podSelector.matchLabel.a=b", "matchLabel"),
        ("runs.egress[0].to[0].ipBlock.cdir=10/0/0/0", "cdir"),
        ("runs.egress[0].ports[0].prot=TCP", "prot"),
        ("runs.egress[0].ports[0].protocol=tcp", "/runs/egress/0/ports/0/protocol"),
        ("networkPolicies.dns[0].namespaceSelectr.a=b", "namespaceSelectr"),
        ("networkPolicies.metricsFrom[0].podSelecter.a=b", "podSelecter"),
        ("tenants.limits[0].type=Container,tenants.limits[0].maxx.memory=2Gi", "maxx"),
        ("tenants.limits[0].type=Container,tenants.limits[0].max.memroy=2Gi", "memroy"),
        ("tenants.limits[0].type=Contaner", "/tenants/limits/0/type"),
        ("tenants.quota.podz=many", "podz"),
        ("tenants.quota.request\\.memory=8Gi", "request"),
        ("placement.tolerations[0].kye=system", "kye"),
        ("placement.tolerations[0].effect=NoShedule", "/placement/tolerations/0/effect"),
        ("controller.resources.limits.memroy=1Gi", "memroy"),
        ("nats.resources.requests.cpus=1", "cpus"),
        ("sessions.postgresql.resources.limits.memory=1GB", "postgresql/resources/limits/memory"),
    ],
)
def test_a_misspelt_part_of_what_kubernetes_defines_is_named(
    helm: str, given: str, named: str
) -> None:
    assert named in refusal(helm, given)


def test_what_kubernetes_defines_is_accepted(helm: str) -> None:
    selector = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
    peers = [{"podSelector": {}, "namespaceSelector": selector}, {"ipBlock": BLOCK}]
    ports = [{"protocol": "TCP", "port": 80, "endPort": 90}, {"port": "http"}]
    resources = {
        "requests": {"cpu": 0.5, "memory": "64Mi", "example.com/gpu": 1, "hugepages-2Mi": "2Mi"},
        "limits": {"ephemeral-storage": "1e9"},
    }
    values = {
        "runs.egress": [{"to": peers, "ports": ports}, {"to": peers}, {"ports": ports}],
        "networkPolicies.dns": peers,
        "tenants.quota": dict.fromkeys(QUOTA, "1"),
        "tenants.limits": [
            {"type": "Pod", "max": {"cpu": "2"}, "maxLimitRequestRatio": {"memory": 2}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
        ],
        "placement.tolerations": [
            {"operator": "Exists"},
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute"},
        ],
        "controller.resources": resources,
    }
    arguments = [f"{path}={json.dumps(value)}" for path, value in values.items()]
    assert template(helm, *(part for one in arguments for part in ("--set-json", one)))


def refusal(helm: str, *given: str) -> str:
    """Return what helm says of values, which it must refuse."""
    arguments = [part for one in given for part in ("--set", one)]
    done = run(helm, "template", "x", str(CHART), "-n", NAMESPACE, *arguments)
    assert done.returncode != 0, "it was accepted"
    return done.stderr.replace(".", "/")
