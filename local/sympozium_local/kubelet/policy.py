"""What NetworkPolicies let a pod reach on this node: a pure reading of them.

There is no network between pods here. A pod that a policy with type Egress selects gets a
network with nothing in it, and what the policies allow is carried in by forwarding. What cannot
be carried in (other pods, names, other protocols) stays unreachable and is named, so that the
pod's events can say so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from sympozium.contract.resources import EGRESS_CONTAINERS_ANNOTATION, Object

_LOOPBACK = IPv4Network("127.0.0.0/8")
_EVERYWHERE = IPv4Network("0.0.0.0/0")
_MAX_PORT_RANGE = 64


@dataclass(frozen=True)
class Block:
    """Addresses that a rule names, be they public or not; never the machine's own loopback."""

    network: IPv4Network | IPv6Network
    ports: frozenset[int] | None
    """None: every port."""
    excluded: frozenset[IPv4Network | IPv6Network] = frozenset()

    def holds(self, address: IPv4Address | IPv6Address, port: int) -> bool:
        """Say whether the rule allows *port* of *address*."""
        if address.is_loopback or address.is_unspecified:
            return False
        is_named = address in self.network and not any(address in one for one in self.excluded)
        return is_named and (self.ports is None or port in self.ports)


@dataclass(frozen=True)
class Internet:
    """What may be reached through the proxy."""

    ports: frozenset[int] | None
    """Of public addresses. None: every port."""
    excluded: frozenset[IPv4Network | IPv6Network] = frozenset()
    """Of public addresses."""
    blocks: tuple[Block, ...] = ()

    def has_port(self, port: int) -> bool:
        """Say whether *port* may be reached at any address."""
        allowed = (self.ports, *(block.ports for block in self.blocks))
        return any(ports is None or port in ports for ports in allowed)


_NOTHING = Internet(ports=frozenset())


@dataclass(frozen=True)
class Egress:
    """What an isolated pod may reach."""

    loopback_ports: frozenset[int] = frozenset()
    internet: Internet | None = None
    unsupported: tuple[str, ...] = ()
    containers: frozenset[str] | None = None
    """Which containers may use it; None: all."""

    def serves(self, container: str) -> bool:
        """Say whether *container* may use what the pod may reach."""
        return self.containers is None or container in self.containers


def find_egress(pod: Object, policies: Iterable[Object]) -> Egress | None:
    """Return what *policies* let *pod* reach, or None where none of them selects its egress."""
    labels = pod["metadata"].get("labels") or {}
    rules: list[Object] = []
    is_selected = False
    for policy in policies:
        spec = policy["spec"]
        types = spec.get("policyTypes") or (["Egress"] if "egress" in spec else [])
        if "Egress" in types and matches(spec.get("podSelector") or {}, labels):
            is_selected = True
            rules += spec.get("egress") or []
    return _combine(rules, pod) if is_selected else None


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Say whether a label selector of the API selects *labels*; an empty one selects all."""
    wanted: dict[str, str] = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions") or ())


def _holds(expression: Object, labels: dict[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _combine(rules: list[Object], pod: Object) -> Egress:
    loopback: set[int] = set()
    unsupported: list[str] = []
    internet: Internet | None = None
    for rule in rules:
        ports, problems = _ports(rule.get("ports"))
        unsupported += problems
        for peer in rule.get("to") or [{"ipBlock": {"cidr": str(_EVERYWHERE)}}]:
            block = peer.get("ipBlock")
            if block is None:
                unsupported.append("peers other than ipBlock")
                continue
            network = ip_network(block["cidr"], strict=False)
            if isinstance(network, IPv4Network) and network.subnet_of(_LOOPBACK):
                loopback |= ports or set()
                if ports is None:
                    unsupported.append("loopback destinations without ports")
            elif network == _EVERYWHERE:
                internet = _widen(internet or _NOTHING, ports, block.get("except") or ())
            else:
                internet = _add_block(internet or _NOTHING, network, ports, block)
    named = (pod["metadata"].get("annotations") or {}).get(EGRESS_CONTAINERS_ANNOTATION)
    containers = None if named is None else frozenset(n.strip() for n in named.split(","))
    return Egress(frozenset(loopback), internet, tuple(dict.fromkeys(unsupported)), containers)


def _ports(entries: list[Object] | None) -> tuple[set[int] | None, list[str]]:
    if not entries:
        return None, []
    ports: set[int] = set()
    problems: list[str] = []
    for entry in entries:
        first = entry.get("port")
        if entry.get("protocol", "TCP") != "TCP":
            problems.append(f"protocol {entry['protocol']}")
        elif not isinstance(first, int):
            problems.append("ports without a number")
        elif (last := entry.get("endPort", first)) - first >= _MAX_PORT_RANGE:
            problems.append(f"port ranges over {_MAX_PORT_RANGE}")
        else:
            ports |= set(range(first, last + 1))
    return ports, problems


def _widen(before: Internet, ports: set[int] | None, excluded: Iterable[str]) -> Internet:
    networks = _networks(excluded)
    if before.ports == frozenset():
        return replace(before, ports=_frozen(ports), excluded=networks)
    both = None if ports is None or before.ports is None else before.ports | ports
    return replace(before, ports=both, excluded=before.excluded & networks)


def _add_block(
    before: Internet, network: IPv4Network | IPv6Network, ports: set[int] | None, block: Object
) -> Internet:
    added = Block(network, _frozen(ports), _networks(block.get("except") or ()))
    return replace(before, blocks=(*before.blocks, added))


def _networks(cidrs: Iterable[str]) -> frozenset[IPv4Network | IPv6Network]:
    return frozenset(ip_network(cidr, strict=False) for cidr in cidrs)


def _frozen(ports: set[int] | None) -> frozenset[int] | None:
    return None if ports is None else frozenset(ports)
