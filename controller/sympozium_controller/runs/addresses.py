"""The addresses that a run's bridge needs, looked up before there is a pod.

Who may ask a resolver may tell the owner of a domain anything, a name at a time, whatever the
network allows beside. So a run's pod asks nobody: it is given the addresses of the bus and of its
model, and no others.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from urllib.parse import urlsplit

import dns.exception
import dns.name
from dns.asyncresolver import Resolver
from dns.inet import is_address

from sympozium.contract.errors import TransientError
from sympozium.contract.resources import Object

LOOKUP_S = 2.0
"""A pod starts in about a second; who has a name that takes longer waits for its model in vain."""

_NDOTS = 5
"""Of a name with fewer dots, the search list comes first. Source: the kubelet's resolv.conf."""

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""A DNS subdomain, as `hostAliases` wants it. Source: RFC 1123."""


class UnknownNameError(TransientError):
    """The bus has no address that we know."""


class AddressBook:
    """Looks names up as a pod of a tenant would.

    It remembers nothing, so that a Service that was made anew is found as soon as the cluster's
    DNS knows it; only the bus is found when nobody answers.
    """

    def __init__(self, own_namespace: str, resolver: Resolver | None = None) -> None:
        self._own_namespace = own_namespace
        self._resolver = resolver or Resolver()
        self._of_bus: dict[str, list[str]] = {}

    async def aliases(self, namespace: str, *, bus_url: str, model_url: str) -> list[Object]:
        """Return the `hostAliases` of a run's pod in *namespace*.

        A model whose name says nothing is left out: nobody waits for a name longer than for a
        model, and the run says itself that its model is not to be reached.

        Raises:
            UnknownNameError: Without the bus a run is for nothing; try again.
        """
        resolver = self._as_in(namespace)
        found = {host: await self._bus(resolver, host) for host in _hosts(bus_url)}
        for host in _hosts(model_url):
            if host not in found:
                found[host] = await _look_up(resolver, host)
        return _host_aliases(found)

    async def _bus(self, resolver: Resolver, host: str) -> list[str]:
        if addresses := await _look_up(resolver, host):
            self._of_bus[host] = addresses
        elif host not in self._of_bus:
            raise UnknownNameError(
                f"cannot start a run: the bus has the name {host!r}, which has no address; "
                "does the cluster's DNS answer?"
            )
        return self._of_bus[host]

    def _as_in(self, namespace: str) -> Resolver:
        """Return a resolver that completes names as one in a pod of *namespace* does."""
        own, theirs = (dns.name.from_text(one, None) for one in (self._own_namespace, namespace))
        resolver = copy(self._resolver)
        resolver.ndots = _NDOTS
        resolver.search = [
            dns.name.Name((*theirs.labels, *domain.labels[1:]))
            if domain.labels[:1] == own.labels
            else domain
            for domain in self._resolver.search
        ]
        return resolver


async def _look_up(resolver: Resolver, host: str) -> list[str]:
    try:
        answers = await resolver.resolve_name(host, search=True, lifetime=LOOKUP_S)
    except (dns.exception.DNSException, OSError):
        return []
    return list(answers.addresses())


def _hosts(urls: str) -> Iterator[str]:
    """Yield the hosts of one URL, or of several with commas between, that an alias can name."""
    for url in urls.split(","):
        try:
            host = urlsplit(url.strip()).hostname or ""
        except ValueError:  # the bridge says what is wrong with it
            continue
        if _NAME.fullmatch(host) and not is_address(host):
            yield host


def _host_aliases(found: Mapping[str, Sequence[str]]) -> list[Object]:
    """Return *found*, an entry for each address: a list of Kubernetes' has one of each."""
    by_address: dict[str, list[str]] = {}
    for host, addresses in found.items():
        for address in addresses:
            by_address.setdefault(address, []).append(host)
    return [{"ip": address, "hostnames": hosts} for address, hosts in by_address.items()]
