"""How often each client asked for what, at `/metrics` in the Prometheus text format.

A real API server says so in its audit log; here a count is enough to see what a
run costs and what polls.
"""

from collections import Counter

from sympozium_local.apiserver.request import Call

NAME = "sympozium_apiserver_requests_total"


class RequestCounts:
    """Counts the requests that were allowed, by user, verb, resource and subresource."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, call: Call) -> None:
        """Count one request."""
        self._counts[call.user.name, call.verb, call.served.key, call.subresource] += 1

    def text(self) -> str:
        """Return all counts, a line each."""
        lines = [f"# TYPE {NAME} counter"]
        for (user, verb, resource, subresource), count in sorted(self._counts.items()):
            labels = {"user": user, "verb": verb, "resource": resource, "subresource": subresource}
            quoted = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
            lines.append(f"{NAME}{{{quoted}}} {count}")
        return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
