"""How often this pod tried to reach what it may not, as the kernel counted it.

The containers of a pod have one network, and the kernel's counters of it. The bridge can read them
and nothing in the pod can change them, whereas what refuses a connection on the way tells nobody.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

COUNTED = {
    "snmp": frozenset({"Tcp.AttemptFails", "Udp.OutDatagrams", "Icmp.OutEchos"}),
    "netstat": frozenset({"TcpExt.TCPSynRetrans"}),
    "snmp6": frozenset({"Udp6OutDatagrams", "Icmp6OutEchos"}),
}
"""Connections refused, first packets repeated because nobody answered, and what has no
connection: a run has no use for it. Source: Linux, Documentation/networking/snmp_counter.rst."""

PROC_NET = Path("/proc/net")


class BlockedConnections:
    """Counts from now on what came to nothing, in the pod of this process.

    A model or a bus that is away is counted, too: the pod tried, and nobody answered.
    """

    def __init__(self, folder: Path = PROC_NET) -> None:
        self._folder = folder
        self._before = self._read()

    def count(self) -> int:
        """Return how many attempts there were."""
        return max(0, self._read() - self._before)

    def _read(self) -> int:
        found = 0
        for name, counted in COUNTED.items():
            try:
                text = (self._folder / name).read_text()
            except OSError as error:  # no IPv6, or a sandbox that hides it
                log.debug("kernel does not say what is blocked", extra={"cause": error.strerror})
                continue
            read = _one_each_line(text) if name == "snmp6" else _two_lines_each(text)
            found += sum(value for key, value in read.items() if key in counted)
        return found


def _one_each_line(text: str) -> Mapping[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _two_lines_each(text: str) -> Mapping[str, int]:
    """Read `Tcp: NameA NameB` followed by `Tcp: 1 2`."""
    lines = [line.split() for line in text.splitlines()]
    return {
        f"{names[0].removesuffix(':')}.{name}": int(value)
        for names, values in zip(lines[::2], lines[1::2], strict=False)
        for name, value in zip(names[1:], values[1:], strict=False)
    }
