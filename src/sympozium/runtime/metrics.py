"""What a program counts and measures, in the text form that Prometheus reads.

Labels take their values from enums: what people write, or call their things, never
becomes a label, and there is never a label without bound. A metric belongs to the
module that counts, and there is one of it in a process.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from time import monotonic
from typing import Protocol

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

Sample = tuple[Mapping[str, str], float]
"""Labels, and a value."""


class Metric(Protocol):
    """Something that can be exported."""

    def as_text(self) -> str:
        """Return it in the text form."""


class Counter:
    """Something that only grows.

    Args:
        name: Ends in `_total`.
        says: For an operator, one sentence.
        labels: The enum of each label. Without any, or with one, all values are there from
            the start, so that the first event is a growth.
    """

    def __init__(self, name: str, says: str, **labels: type[StrEnum]) -> None:
        self.name = name
        self._says = says
        self._labels = labels
        self._counts: Counts[tuple[str, ...]] = Counts()

    def add(self, *values: StrEnum | None, by: int = 1) -> None:
        """Count one, or more, with a value for each label; None: it has none."""
        self._counts[_plain(self._labels, values)] += by

    def value(self, *values: StrEnum | None) -> int:
        """Return how many there were."""
        return self._counts[_plain(self._labels, values)]

    def as_text(self) -> str:
        """Return it in the text form."""
        known = dict.fromkeys(_from_the_start(self._labels)) | dict.fromkeys(self._counts)
        samples = [(dict(zip(self._labels, one, strict=True)), self._counts[one]) for one in known]
        return text_of(self.name, "counter", self._says, samples)


class Gauge:
    """Something that is now. Whoever knows it is asked when somebody looks."""

    def __init__(self, name: str, says: str, read: Callable[[], float] = lambda: 0.0) -> None:
        self.name = name
        self._says = says
        self._read = read

    def follow(self, read: Callable[[], float]) -> None:
        """Ask *read* from now on."""
        self._read = read

    def as_text(self) -> str:
        """Return it in the text form."""
        return text_of(self.name, "gauge", self._says, [({}, self._read())])


class Histogram:
    """How long something took.

    Args:
        name: Ends in `_seconds`.
        says: For an operator, one sentence.
        labels: As of a `Counter`.
    """

    def __init__(self, name: str, says: str, **labels: type[StrEnum]) -> None:
        self.name = name
        self._says = says
        self._labels = labels
        self._buckets: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}

    def observe(self, seconds: float, *values: StrEnum | None) -> None:
        """Count one that took so long."""
        key = _plain(self._labels, values)
        buckets = self._buckets.setdefault(key, [0] * (len(BUCKETS_S) + 1))
        buckets[bisect_left(BUCKETS_S, seconds)] += 1
        self._sums[key] = self._sums.get(key, 0.0) + seconds

    @contextmanager
    def timed(self, *values: StrEnum | None) -> Iterator[None]:
        """Observe how long the block takes, also where it fails."""
        began = monotonic()
        try:
            yield
        finally:
            self.observe(monotonic() - began, *values)

    def count(self, *values: StrEnum | None) -> int:
        """Return how many were observed."""
        return sum(self._buckets.get(_plain(self._labels, values), ()))

    def as_text(self) -> str:
        """Return it in the text form; nothing but its description before the first."""
        lines = _head(self.name, "histogram", self._says)
        for key, buckets in self._buckets.items():
            labels, below = dict(zip(self._labels, key, strict=True)), 0
            for bound, count in zip((*BUCKETS_S, None), buckets, strict=True):
                below += count
                limit = "+Inf" if bound is None else f"{bound:g}"
                lines.append(f"{self.name}_bucket{_in_braces({**labels, 'le': limit})} {below}")
            lines.append(f"{self.name}_sum{_in_braces(labels)} {self._sums[key]:.6f}")
            lines.append(f"{self.name}_count{_in_braces(labels)} {below}")
        return "".join(f"{line}\n" for line in lines)


def exposition(*metrics: Metric) -> Callable[[], str]:
    """Return what gives the text of all *metrics*, for `Health.export`."""
    return lambda: "".join(metric.as_text() for metric in metrics)


def text_of(name: str, kind: str, says: str, samples: Iterable[Sample]) -> str:
    """Return a metric of *kind* in the text form."""
    lines = _head(name, kind, says)
    lines += [f"{name}{_in_braces(labels)} {value:g}" for labels, value in samples]
    return "".join(f"{line}\n" for line in lines)


def _head(name: str, kind: str, says: str) -> list[str]:
    return [f"# HELP {name} {says}", f"# TYPE {name} {kind}"]


def _in_braces(labels: Mapping[str, str]) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{said}}}" if said else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _plain(
    labels: Mapping[str, type[StrEnum]], values: tuple[StrEnum | None, ...]
) -> tuple[str, ...]:
    if len(values) != len(labels):
        raise TypeError(f"a value for each of {list(labels)} is needed")
    return tuple("" if value is None else value.value for value in values)


def _from_the_start(labels: Mapping[str, type[StrEnum]]) -> list[tuple[str, ...]]:
    if len(labels) > 1:
        return []
    return [(one.value,) for enum in labels.values() for one in enum] if labels else [()]
