"""The API server: its version, its clock, and the clocks of our programs beside it."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sympozium.contract.resources import LEASES
from sympozium.contract.times import parse_kube_time
from sympozium.kube.errors import NotFoundError
from sympozium_local.cli.checks.check import Check, bad, good, unknown
from sympozium_local.cli.cluster import Cluster
from sympozium_local.cli.paths import path_of, system_namespace

OLDEST = (1, 30)
"""The first version with ValidatingAdmissionPolicy v1, on which admission rests.

Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

MAX_SKEW_S = 30.0
"""Tokens of a few minutes and TLS bear so much; so do the alerts of `clock skew`."""

MAX_LEASE_AGE_S = 15.0
"""A controller that leads renews its lease every second or so."""

LEADER_LEASE = "sympozium-controller"


def version_checks(cluster: Cluster) -> Iterator[Check]:
    """Look at the server's version."""
    answer = cluster.get("/version")
    said = str(answer.get("gitVersion", "unknown"))
    found = (_digits(answer.get("major")), _digits(answer.get("minor")))
    if found >= OLDEST:
        yield good("version", f"Kubernetes {said}")
    else:
        least = ".".join(map(str, OLDEST))
        yield bad(
            "version",
            f"Kubernetes {said} is older than {least}",
            f"upgrade the cluster to {least} or later",
        )


def clock_checks(cluster: Cluster) -> Iterator[Check]:
    """Compare the server's clock with this machine's, and with that of the leading controller."""
    stamp = cluster.date()
    if not stamp:
        yield unknown("clock", "the API server does not say what time it is")
        return
    server = parsedate_to_datetime(stamp)
    skew_s = time.time() - server.timestamp()
    if abs(skew_s) <= MAX_SKEW_S:
        yield good("clock", f"this machine and the API server agree within {MAX_SKEW_S:.0f} s")
    else:
        yield bad(
            "clock",
            f"this machine is {_ahead(skew_s)} the API server",
            "set both by NTP; tokens and certificates are refused otherwise",
        )
    yield _leader(cluster, server)


def _leader(cluster: Cluster, server: datetime) -> Check:
    try:
        lease = cluster.get(path_of(LEASES, system_namespace(), LEADER_LEASE))
    except NotFoundError:
        return bad(
            "leader",
            f"no controller has ever led: there is no Lease {LEADER_LEASE!r}",
            f"see kubectl -n {system_namespace()} logs deployment/sympozium-controller",
        )
    spec = lease.get("spec") or {}
    holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime")
    if not holder or not renewed:
        return bad("leader", "no controller leads now", "wait for one to start; see its Deployment")
    age_s = (server - parse_kube_time(renewed).astimezone(UTC)).total_seconds()
    if age_s > MAX_LEASE_AGE_S:
        return bad(
            "leader",
            f"{holder} renewed its lease {age_s:.0f} s ago: gone, or its node's clock is late",
            f"see kubectl -n {system_namespace()} get pods, and the clocks of the nodes",
        )
    if age_s < -MAX_SKEW_S:
        return bad(
            "leader",
            f"the clock of {holder} is {_ahead(-age_s)} the API server",
            "set the clocks of the nodes by NTP",
        )
    return good("leader", f"{holder} leads")


def _ahead(skew_s: float) -> str:
    return f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'}"


def _digits(part: object) -> int:
    digits = "".join(character for character in str(part or "") if character.isdigit())
    return int(digits or 0)
