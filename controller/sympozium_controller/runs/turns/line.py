"""The runs that wait to start, in a fair order: a pure data structure.

Namespaces take turns, within a namespace its agents, within an agent its conversations,
within a conversation the runs by their order. Whoever had a turn, or comes anew, goes to
the end of the line, and as many places further back as what it has at work is worth. So
nobody waits for more than one turn of each other who stands there, and a place or two
more for what is at work for it already, however much the others ask for.

Every change costs time that grows with the logarithm of what waits.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sympozium.kube.informer import Key

WORTH = 8
"""Places in line that one run at work costs its namespace, its agent and its conversation."""

Rank = tuple[int, str]

LimitOf = Callable[[str, str], int | None]
"""Returns how many runs may be at work: of an agent, by (namespace, agent); of a namespace, by
(namespace, ""); altogether, by ("", ""). None: as many as there are."""


@dataclass(frozen=True)
class Ticket:
    """One run that waits or is at work.

    Attributes:
        conversation: All runs that belong to none share the empty one.
        order: Before which others of its conversation it starts.
    """

    key: Key
    agent: str
    conversation: str
    order: Rank

    @property
    def namespace(self) -> str:
        """Where the run is."""
        return self.key[0]


class _Node:
    """Everybody, a namespace, an agent, a conversation, or (with a ticket) one waiting run."""

    def __init__(self, name: str, parent: "_Node | None", ticket: Ticket | None = None) -> None:
        self.name = name
        self.parent = parent
        self.ticket = ticket
        self.children: dict[str, _Node] = {}
        self.limit: int | None = None
        self.active = 0
        self.waiting = 0
        self.place = 0
        self.is_ready = False
        self.places = 0
        self.waiting_children = 0
        self._ready_children = 0
        self._line: list[tuple[Rank, int, _Node]] = []
        self._stamp = 0

    @property
    def rank(self) -> Rank:
        """Before whom it goes among its siblings."""
        if self.ticket is not None:
            return self.ticket.order
        return self.place + WORTH * self.active, self.name

    @property
    def is_full(self) -> bool:
        """Whether as many runs are at work as may be."""
        return self.limit is not None and self.active >= self.limit

    def to_the_end(self) -> None:
        """Take the last place among the siblings."""
        if self.parent is not None:
            self.parent.places += 1
            self.place = self.parent.places

    def refresh(self) -> None:
        """Put it, and all above it, where they belong now."""
        node: _Node | None = self
        while node is not None:
            was_ready = node.is_ready
            has_any = node.waiting > 0 and (node.ticket is not None or node._ready_children > 0)
            node.is_ready = has_any and not node.is_full
            node._stamp += 1
            if node.parent is not None:
                node.parent._ready_children += node.is_ready - was_ready
                if node.is_ready:
                    node.parent._stand(node)
            node = node.parent

    def first(self) -> "_Node":
        """Return the child whose turn it is. There is one, as this node is ready."""
        while True:
            _, stamp, child = self._line[0]
            if child.is_ready and child._stamp == stamp:
                return child
            heapq.heappop(self._line)

    def by_rank(self) -> Iterator[tuple[Rank, "_Node"]]:
        """Yield the children that wait in their order, at no more cost than are asked for.

        Where a limit keeps one of them from its turn, all are looked at.
        """
        if self._ready_children < self.waiting_children:
            yield from sorted(
                (child.rank, child) for child in self.children.values() if child.waiting
            )
            return
        line = self._line
        next_ = [(line[0], 0)] if line else []
        while next_:
            (rank, stamp, child), index = heapq.heappop(next_)
            for below in (2 * index + 1, 2 * index + 2):
                if below < len(line):
                    heapq.heappush(next_, (line[below], below))
            if child.is_ready and child._stamp == stamp:
                yield rank, child

    def forget_if_idle(self) -> None:
        """Leave the tree if there is nothing to know of it."""
        if self.parent is not None and not self.waiting and not self.active:
            self.parent.children.pop(self.name, None)

    def _stand(self, child: "_Node") -> None:
        heapq.heappush(self._line, (child.rank, child._stamp, child))
        if len(self._line) > 2 * len(self.children) + 16:
            self._line = [one for one in self._line if one[2]._stamp == one[1] and one[2].is_ready]
            heapq.heapify(self._line)

    def __lt__(self, other: "_Node") -> bool:
        return self.name < other.name


class Line:
    """Who waits, who is at work, and who is next."""

    def __init__(self, limit_of: LimitOf = lambda namespace, agent: None) -> None:
        self._limit_of = limit_of
        self._root = _Node("", None)
        self._root.limit = limit_of("", "")
        self._waiting: dict[Key, _Node] = {}
        self._active: dict[Key, Ticket] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def is_waiting(self, key: Key) -> bool:
        """Return whether the run stands in line."""
        return key in self._waiting

    def is_active(self, key: Key) -> bool:
        """Return whether the run is at work."""
        return key in self._active

    @property
    def active(self) -> int:
        """How many runs are at work."""
        return len(self._active)

    def at_work(self, namespace: str) -> int:
        """Return how many runs of a namespace are at work."""
        found = self._root.children.get(namespace)
        return found.active if found is not None else 0

    def waiting_in(self, namespace: str) -> int:
        """Return how many runs of a namespace stand in line."""
        found = self._root.children.get(namespace)
        return found.waiting if found is not None else 0

    def limit_changed(self, namespace: str = "", agent: str = "") -> None:
        """Heed from now on what `limit_of` says of an agent, a namespace, or everybody."""
        node: _Node | None = self._root
        for name in (namespace, agent):
            node = node.children.get(name) if node is not None and name else node
        if node is not None:
            node.limit = self._limit_of(namespace, agent)
            node.refresh()

    def wait(self, ticket: Ticket) -> None:
        """Have a run stand in line. One that does, or is at work, is left as it is."""
        if ticket.key in self._waiting or ticket.key in self._active:
            return
        conversation = self._conversation(ticket)
        name = ticket.key[1]
        leaf = conversation.children[name] = _Node(name, conversation, ticket)
        self._waiting[ticket.key] = leaf
        for node in _upwards(leaf):
            if not node.waiting:
                if node.ticket is None:
                    node.to_the_end()
                if node.parent is not None:
                    node.parent.waiting_children += 1
            node.waiting += 1
        leaf.refresh()

    def next(self, *, if_idle: bool = False) -> Ticket | None:
        """Return the run that may start now, which is at work from then on; None: nobody may.

        With *if_idle* only where its namespace has nothing at work.
        """
        node = self._root
        if not node.is_ready or (if_idle and node.first().active):
            return None
        while node.ticket is None:
            node = node.first()
        self._leave(node)
        self.take(node.ticket)
        return node.ticket

    def take(self, ticket: Ticket) -> None:
        """Have a run be at work, whether it stood in line or not, and beyond all limits."""
        self._drop_waiting(ticket.key)
        if ticket.key in self._active:
            return
        self._active[ticket.key] = ticket
        conversation = self._conversation(ticket)
        for node in _upwards(conversation):
            node.active += 1
            node.to_the_end()
        conversation.refresh()

    def drop(self, key: Key) -> None:
        """Know nothing of a run any more: it ended, or waits for something else."""
        self._drop_waiting(key)
        ticket = self._active.pop(key, None)
        if ticket is not None:
            conversation = self._conversation(ticket)
            for node in _upwards(conversation):
                node.active -= 1
            conversation.refresh()
            _forget_idle(conversation)

    def held_back(self, key: Key) -> tuple[str, str] | None:
        """Return whose limit keeps a waiting run from its turn, as `LimitOf` names them.

        None: no limit does; it is only not its turn.
        """
        leaf = self._waiting.get(key)
        if leaf is None or leaf.ticket is None:
            return None
        ticket, full = leaf.ticket, [node.is_full for node in _upwards(leaf)]
        names = (("", ""), (ticket.namespace, ""), (ticket.namespace, ticket.agent))
        return next(
            (name for name, is_full in zip(names, full[:1:-1], strict=True) if is_full), None
        )

    def upcoming(self) -> Iterator[Ticket]:
        """Yield those who wait in the order in which they will start, as far as it is known.

        It is what it would be if nobody came and every limit were raised.
        """
        return _in_turn(self._root)

    def _conversation(self, ticket: Ticket) -> _Node:
        """Return where the runs of a conversation stand, making it where it is not there."""
        namespace = self._child(self._root, ticket.namespace, (ticket.namespace, ""))
        agent = self._child(namespace, ticket.agent, (ticket.namespace, ticket.agent))
        return self._child(agent, ticket.conversation, None)

    def _child(self, node: _Node, name: str, limited: tuple[str, str] | None) -> _Node:
        found = node.children.get(name)
        if found is None:
            found = node.children[name] = _Node(name, node)
            found.limit = self._limit_of(*limited) if limited else None
        return found

    def _drop_waiting(self, key: Key) -> None:
        leaf = self._waiting.get(key)
        if leaf is not None:
            self._leave(leaf)
            conversation = leaf.parent
            if conversation is not None:
                _forget_idle(conversation)

    def _leave(self, leaf: _Node) -> None:
        if leaf.ticket is None or leaf.parent is None:
            return
        del self._waiting[leaf.ticket.key]
        for node in _upwards(leaf):
            node.waiting -= 1
            if not node.waiting and node.parent is not None:
                node.parent.waiting_children -= 1
        leaf.refresh()
        leaf.parent.children.pop(leaf.name, None)


def _upwards(node: _Node) -> Iterator[_Node]:
    here: _Node | None = node
    while here is not None:
        yield here
        here = here.parent


def _forget_idle(node: _Node) -> None:
    for one in list(_upwards(node)):
        one.forget_if_idle()


def _in_turn(node: _Node) -> Iterator[Ticket]:
    if node.ticket is not None:
        yield node.ticket
        return
    waiting, again = node.by_rank(), list[tuple[Rank, _Node]]()
    head = next(waiting, None)
    places = node.places
    going: dict[str, Iterator[Ticket]] = {}
    left: dict[str, int] = {}
    while head is not None or again:
        if head is not None and (not again or head < again[0]):
            _, child = head
            going[child.name], left[child.name] = _in_turn(child), child.waiting
            head = next(waiting, None)
        else:
            _, child = heapq.heappop(again)
        yield next(going[child.name])
        left[child.name] -= 1
        if left[child.name]:
            places += 1
            heapq.heappush(again, ((places + WORTH * child.active, child.name), child))
