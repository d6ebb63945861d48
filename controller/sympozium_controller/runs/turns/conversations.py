"""The order of the unfinished runs within each conversation, kept up as they come and go."""

from bisect import bisect_left, insort

from sympozium.contract.resources import CONVERSATION_LABEL, Object
from sympozium.kube.informer import Key
from sympozium_controller.runs.view import is_finished_run

Place = tuple[int, Key]
"""INBOX sequence of the message that a run answers, and the run."""


class Conversations:
    """Who is before whom. A run that answers no message has no place, and nobody before it."""

    def __init__(self) -> None:
        self._places: dict[str, list[Place]] = {}

    def changed(self, key: Key, old: Object | None, new: Object | None) -> None:
        """Take in a change of a run; an informer's listener."""
        was = _place(key, old)
        now = _place(key, new)
        if was == now:
            return
        if was is not None:
            self._remove(*was)
        if now is not None:
            insort(self._places.setdefault(now[0], []), now[1])

    def before(self, run: Object) -> int:
        """Return how many earlier runs of the same conversation have not ended."""
        found = _place_of(run)
        if found is None:
            return 0
        conversation, place = found
        return bisect_left(self._places.get(conversation, []), place)

    def first(self, run: Object) -> Key | None:
        """Return the first unfinished run of the conversation to which *run* belongs."""
        places = self._places.get(_scoped(run, conversation_of(run)))
        return places[0][1] if places else None

    def _remove(self, conversation: str, place: Place) -> None:
        places = self._places.get(conversation, [])
        index = bisect_left(places, place)
        if index < len(places) and places[index] == place:
            del places[index]
        if not places:
            self._places.pop(conversation, None)


def conversation_of(run: Object) -> str:
    """Return the label of the conversation to which a run belongs; empty where there is none."""
    label: str = (run["metadata"].get("labels") or {}).get(CONVERSATION_LABEL, "")
    return label


def sequence_of(run: Object) -> int | None:
    """Return the INBOX sequence of the message that a run answers, if it answers one."""
    source = run["spec"].get("source")
    return None if source is None else source["sequence"]


def _place(key: Key, run: Object | None) -> tuple[str, Place] | None:
    if run is None or is_finished_run(run):
        return None
    return _place_of(run)


def _place_of(run: Object) -> tuple[str, Place] | None:
    label, sequence = conversation_of(run), sequence_of(run)
    if not label or sequence is None:
        return None
    metadata = run["metadata"]
    return _scoped(run, label), (sequence, (metadata["namespace"], metadata["name"]))


def _scoped(run: Object, label: str) -> str:
    return f"{run['metadata']['namespace']}/{label}"
