"""All checks, in the order in which a person would mend what they find."""

from collections.abc import Iterator

from sympozium.contract.resources import CHANNELS, Object
from sympozium.kube.errors import ForbiddenError
from sympozium_local.cli.checks.admission import policy_checks, webhook_checks
from sympozium_local.cli.checks.bus import bus_checks
from sympozium_local.cli.checks.check import Check, Section, looked_at, unknown
from sympozium_local.cli.checks.dead import dead_checks
from sympozium_local.cli.checks.installed import kind_checks, namespace_checks, storage_checks
from sympozium_local.cli.checks.network import policy_checks as network_checks
from sympozium_local.cli.checks.probe import probe_checks
from sympozium_local.cli.checks.programs import image_checks, program_checks
from sympozium_local.cli.checks.reach import reach_checks
from sympozium_local.cli.checks.refusals import cluster_refusals, machine_refusals
from sympozium_local.cli.checks.rights import caller_checks, program_right_checks
from sympozium_local.cli.checks.server import clock_checks, version_checks
from sympozium_local.cli.checks.supervisor import process_checks
from sympozium_local.cli.checks.tenants import (
    agent_checks,
    channel_checks,
    channels_once_started,
)
from sympozium_local.cli.paths import path_of
from sympozium_local.cli.target import Target
from sympozium_local.cli.where import Where


def every_section(target: Target, where: Where, *, probe: bool) -> Iterator[Section]:
    """Yield section after section, as each has been looked at."""
    cluster, instance = target.cluster, target.instance
    if instance:
        yield Section("system", looked_at("system", lambda: process_checks(instance)))
        yield Section("bus", looked_at("refusals", lambda: machine_refusals(instance)))
    yield Section(
        "API server",
        [
            *looked_at("version", lambda: version_checks(cluster)),
            *looked_at("clock", lambda: clock_checks(cluster)),
        ],
    )
    yield Section("kinds", looked_at("kinds", lambda: kind_checks(cluster)))
    if not instance:
        yield from _of_the_chart(target)
    yield Section("admission", [*_admission(target)])
    if not instance:
        yield Section("network", [*_network(target, probe=probe)])
    yield Section(
        "rights",
        [
            *looked_at("your rights", lambda: caller_checks(target)),
            *looked_at("rights", lambda: program_right_checks(cluster)),
        ],
    )
    namespace = _seen(target)
    yield from _of_the_tenants(target, namespace)
    if not instance:  # on one machine nobody counts
        yield Section("runs", looked_at("runs", lambda: reach_checks(cluster, namespace)))
    yield Section("dead letters", looked_at("dead letters", lambda: dead_checks(where)))


def _of_the_chart(target: Target) -> Iterator[Section]:
    """Look at what a machine's own system does not have, or has only one of."""
    cluster, namespace = target.cluster, target.namespace
    yield Section("programs", looked_at("programs", lambda: program_checks(target)))
    yield Section("images", looked_at("images", lambda: image_checks(cluster, [namespace])))
    yield Section("namespaces", looked_at("namespaces", lambda: namespace_checks(cluster)))
    yield Section("storage", looked_at("storage", lambda: storage_checks(cluster)))
    yield Section(
        "bus",
        [
            *looked_at("bus", lambda: bus_checks(cluster)),
            *looked_at("refusals", lambda: cluster_refusals(cluster)),
        ],
    )


def _admission(target: Target) -> Iterator[Check]:
    cluster, namespace, forwards = target.cluster, target.namespace, target.instance is None
    yield from looked_at("policies", lambda: policy_checks(cluster))
    yield from looked_at("webhook", lambda: webhook_checks(cluster, namespace, forwards=forwards))


def _network(target: Target, *, probe: bool) -> Iterator[Check]:
    cluster, namespace = target.cluster, target.namespace
    yield from looked_at("network policies", lambda: network_checks(cluster))
    if probe:
        yield from looked_at("probe", lambda: probe_checks(cluster, namespace))


def _of_the_tenants(target: Target, namespace: str) -> Iterator[Section]:
    cluster = target.cluster
    yield Section("agents", looked_at("agents", lambda: agent_checks(cluster, namespace)))
    try:
        channels = channels_once_started(cluster, namespace)
    except ForbiddenError as error:
        yield Section("channels", [unknown("channels", str(error))])
        return
    for channel in channels:
        yield _channel(target, channel)


def _channel(target: Target, channel: Object) -> Section:
    metadata = channel["metadata"]
    title = f"channel {metadata['namespace']}/{metadata['name']} ({channel['spec']['type']})"

    def look() -> Iterator[Check]:
        return channel_checks(target.cluster, channel)

    return Section(title, looked_at("channel", look))


def _seen(target: Target) -> str:
    """Return the namespace whose objects the caller may list; empty: all of them."""
    try:
        target.cluster.get(path_of(CHANNELS), limit="1")
    except ForbiddenError:
        return target.namespace
    return ""
