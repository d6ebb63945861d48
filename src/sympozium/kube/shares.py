"""Keys that wait for a worker, shared out between those to whom they belong.

Without this module a tenant with as many slow keys as there are workers would have all
of them, and everybody else would wait for the slowest.
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

Owner = Callable[[K], Hashable]
"""Returns whose a key is."""


class Shares(Generic[K]):
    """Owners take turns, and none has more workers than it leaves free for the others.

    So one owner alone has half of the workers at the most, a second one beside it half of
    the rest, and whoever comes then finds a free one.
    """

    def __init__(self, owner: Owner[K]) -> None:
        self._owner = owner
        self._ready: dict[Hashable, deque[K]] = {}
        self._active: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._ready.values()))

    def add(self, key: K) -> None:
        """Have *key* wait behind the other keys of its owner."""
        self._ready.setdefault(self._owner(key), deque()).append(key)

    def take(self, *, free: int) -> K | None:
        """Return the key whose turn it is, if one of so many *free* workers is for it."""
        found = next((one for one in self._ready if self._active[one] < free), None)
        if found is None:
            return None
        keys = self._ready.pop(found)
        key = keys.popleft()
        if keys:
            self._ready[found] = keys  # behind the other owners
        self._active[found] += 1
        return key

    def done(self, key: K) -> None:
        """Note that no worker is at *key* any more."""
        owner = self._owner(key)
        self._active[owner] -= 1
        if not self._active[owner]:
            del self._active[owner]


class FirstCome(Generic[K]):
    """Keys that wait in the order in which they came, whoever they belong to."""

    def __init__(self) -> None:
        self._ready: deque[K] = deque()

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: K) -> None:
        """Have *key* wait behind the others."""
        self._ready.append(key)

    def take(self, *, free: int) -> K | None:
        """Return the first key, if there is a *free* worker."""
        return self._ready.popleft() if self._ready and free > 0 else None

    def done(self, key: K) -> None:
        """Note that no worker is at *key* any more."""
